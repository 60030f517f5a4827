#include "init_private.h"

#include "channel_private.h"
#include "coracle/rootfs/rootfs.h"
#include "coracle/security/process_attributes.h"
#include "coracle/sys/file.h"
#include "coracle/sys/mount.h"
#include "coracle/sys/namespace.h"
#include "coracle/sys/process.h"
#include "coracle/sys/procfs.h"
#include "coracle/sys/rooted_path.h"
#include "coracle/sys/socket.h"
#include "coracle/sys/terminal.h"
#include "init_hooks_private.h"
#include "payload_private.h"
#include "session_private.h"

#include <cerrno>
#include <fcntl.h>
#include <optional>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace coracle::launch {

namespace {

using sys::Fd;

constexpr const char* role = "init";

/// What init holds while it works, and where it is.
struct Work {
    ChildEnd channel;
    Stage stage = Stage::begin;
    plan::InitPlan plan;
    Fd gate;
    rootfs::Assembled rootfs;
    std::vector<plan::Degradation> degraded;
    bool in_cgroup = false;
    ContainerHooks hooks;
    Payload payload;
    std::optional<sys::FdTable> fd_table;

    explicit Work(Fd socket) : channel(std::move(socket)) {}

    void enter(Stage next) {
        stage = next;
        show_stage(role, next);
    }
};

void receive_plan(Work& work) {
    std::vector<Fd> fds;
    work.plan = work.channel.require<InitPlanMessage>(&fds).plan;
    bool wants_gate = work.plan.gate == plan::GateKind::socket;
    if (wants_gate ? fds.empty() || fds.size() > 2 : !fds.empty()) {
        throw_error(ErrorKind::internal, "the plan came without the start gate");
    }
    if (wants_gate) {
        work.gate = std::move(fds.front());
    }
    if (fds.size() == 2) {
        work.payload.notify = std::move(fds.back());
    }
}

/// A procfs that nothing can be mounted over: an instance of our own, attached nowhere. Where the
/// kernel refuses one (another user namespace owns the pid namespace, an outer container's /proc is
/// masked) the host's, as long as nothing of the container is in sight. CVE-2025-52881.
Fd open_safe_proc() {
    Fd own;
    std::string detail;
    int errnum = sys::try_make_filesystem({"proc", "proc", {}, 0, 0}, own, detail);
    return errnum == 0 ? std::move(own) : sys::open_proc();
}

/// /proc/sys shows the namespaces of who opens it.
void write_kernel_settings(const plan::InitPlan& plan) {
    const plan::ProcessPlan& process = plan.process;
    bool labels = !process.apparmor_change.empty() || !process.selinux_label.empty();
    if (plan.sysctls.empty() && !process.oom_score_adj && !labels) {
        return;
    }
    Fd proc = open_safe_proc();
    if (process.oom_score_adj) {
        sys::write_file(proc.get(), "self/oom_score_adj", std::to_string(*process.oom_score_adj));
    }
    security::apply_labels(process, proc.get());
    for (const auto& [key, value] : plan.sysctls) {
        Fd file;
        int errnum =
            sys::try_open_in_root(proc.get(), "sys/" + key, O_WRONLY, sys::Symlinks::refuse, file);
        if (errnum != 0) {
            throw_system(errnum, "sysctl: open /proc/sys/" + key);
        }
        sys::write_all(file.get(), value, "sysctl /proc/sys/" + key);
    }
}

void set_up_session(Work& work) {
    work.enter(Stage::session);
    work.fd_table.emplace();
    sys::start_session();
    if (work.plan.new_session_keyring) {
        join_session_keyring(work.plan.id, work.degraded);
    }
    if (!work.plan.hostname.empty()) {
        sys::set_hostname(work.plan.hostname);
    }
    if (!work.plan.domainname.empty()) {
        sys::set_domainname(work.plan.domainname);
    }
    if (work.plan.loopback_up) {
        sys::bring_loopback_up();
    }
    write_kernel_settings(work.plan);
}

/// The parent may wait for systemd, so as late as can be.
void enter_cgroup_namespace(Work& work) {
    if (std::exchange(work.in_cgroup, true)) {
        return;
    }
    work.enter(Stage::cgroup);
    (void)work.channel.require<CgroupReady>();
    work.hooks.receive(work.channel, work.plan);
    if (work.plan.new_cgroup_namespace) {
        sys::unshare_namespaces(clone_flag_of(NamespaceKind::cgroup));
    }
}

void make_terminal(Work& work) {
    const plan::ProcessPlan& process = work.plan.process;
    if (!process.terminal) {
        return;
    }
    work.enter(Stage::console);
    Fd directory = sys::open_in_root(work.rootfs.root.get(), "/dev/pts", O_RDONLY | O_DIRECTORY);
    sys::Pty pty = open_terminal(directory.get(), process);
    rootfs::bind_console(work.rootfs.root.get(), pty.peer.get());
    sys::make_controlling_terminal(pty.peer.get());
    work.channel.send_console(pty.manager.get());
}

/// The trees that the parent has opened, taken from the channel as they are needed.
class GivenSources {
  public:
    explicit GivenSources(Work& work) : work_(work), more_(work.plan.rootfs.sources_given) {}
    /// Empty if there is none to take.
    [[nodiscard]] Fd next() {
        if (next_ == batch_.size() && more_) {
            (void)work_.channel.require<MountSources>(&batch_);
            next_ = 0;
            more_ = !batch_.empty();
        }
        return next_ == batch_.size() ? Fd() : std::move(batch_[next_++]);
    }

  private:
    Work& work_;
    bool more_;
    std::vector<Fd> batch_;
    std::size_t next_ = 0;
};

/// Everything is mounted, and the paths are still those of the host.
void run_create_hooks(Work& work) {
    if (!work.plan.waits_for_hooks && work.plan.create_container_hooks.empty()) {
        return;
    }
    work.enter(Stage::hooks);
    if (work.plan.waits_for_hooks) {
        take_filter(work.payload, work.plan.process, work.channel); // it lies before HooksDone
        work.channel.send_at_hooks();
        (void)work.channel.require<HooksDone>();
    }
    work.hooks.run_create_container(work.plan, work.rootfs.root.get());
}

void build_root(Work& work) {
    if (work.plan.awaits_parent) {
        enter_cgroup_namespace(work);
    }
    work.enter(Stage::mounts);
    (void)::umask(0); // modes of mount points and nodes are exact
    GivenSources given(work);
    rootfs::Callbacks callbacks{[&] { return given.next(); },
                                [&] {
                                    enter_cgroup_namespace(work);
                                    work.enter(Stage::mounts);
                                }};
    work.rootfs = rootfs::assemble(work.plan.rootfs, callbacks, work.degraded);
    enter_cgroup_namespace(work);
    run_create_hooks(work);
    make_terminal(work);
    work.enter(Stage::pivot);
    (void)sys::make_in_root(work.rootfs.root.get(), work.plan.process.cwd,
                            sys::NodeKind::directory);
    rootfs::finish(work.plan.rootfs, work.rootfs);
    rootfs::enter(work.plan.rootfs, work.rootfs.root.get());
}

/// A client that has said Start. One that connects and leaves, such as `state`, opens nothing, and
/// one that wants a program where there is none is told so.
ChildEnd wait_for_client(const Fd& gate, const plan::ProcessPlan& process) {
    constexpr std::chrono::milliseconds patience{200};
    for (;;) {
        ChildEnd client(sys::accept_connection(gate.get()));
        try {
            if (sys::wait_readable(client.fd(), -1, patience) == sys::Ready::neither) {
                continue;
            }
            std::optional<Received> received = client.receive_short();
            bool starts = received && std::holds_alternative<Start>(received->message);
            if (starts && !process.args.empty()) {
                return client;
            }
            if (starts) {
                client.send_failed(Stage::gate,
                                   Error(ErrorKind::wrong_state,
                                         "/process: missing in the configuration; it is required "
                                         "to start a container"));
            }
        } catch (const Error&) { // catch: no client of ours; the gate stays for others
            continue;
        }
    }
}

/// From here on the channel is that of who asked for the start, and is told how execve went.
void wait_at_gate(Work& work) {
    // The creator may exit as soon as it has sent Committed. Until then EOF tells of its death:
    // from here on this process only waits on the channel.
    sys::clear_parent_death_signal();
    work.rootfs = {};
    work.channel.send_ready(std::move(work.degraded));
    (void)work.channel.require<Committed>();
    if (work.plan.gate == plan::GateKind::channel) {
        (void)work.channel.require<Start>();
        return;
    }
    work.channel.close();
    work.channel = wait_for_client(work.gate, work.payload.process);
    work.gate.reset();
}

void become_payload_user(Work& work) {
    work.enter(Stage::identity);
    work.payload.process = std::move(work.plan.process);
    // The change of ids makes a process non-dumpable, which would hide its namespace links from the
    // user who owns it. In a joined pid namespace others could then inspect it.
    prepare_payload(work.payload, work.rootfs.root.get(),
                    work.plan.own_pid_namespace ? sys::Dumpable::yes : sys::Dumpable::no,
                    work.channel, work.degraded);
}

void run_start_hooks(Work& work) {
    if (!work.plan.start_container_hooks.empty()) {
        work.enter(Stage::hooks);
        work.hooks.run_start_container(work.plan);
        work.hooks = {};
    }
}

void bring_up(Work& work) {
    sys::set_parent_death_signal();
    receive_plan(work);
    set_up_session(work);
    build_root(work);
    become_payload_user(work);
    work.enter(Stage::gate);
    wait_at_gate(work);
    run_start_hooks(work);
    work.payload.fd_table_size = work.fd_table->size();
    execute_payload(work.payload, work.channel, role);
}

} // namespace

void run_init(int channel_fd) noexcept {
    Work work{Fd(channel_fd)};
    try {
        sys::close_on_exec(channel_fd);
        bring_up(work);
    } catch (const std::exception& error) { // catch: a role's edge
        work.channel.send_failed(work.stage, error);
    }
    ::_exit(1);
}

} // namespace coracle::launch
