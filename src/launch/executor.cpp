#include "init_private.h"

#include "channel_private.h"
#include "coracle/base/number_list.h"
#include "coracle/security/process_attributes.h"
#include "coracle/sys/file.h"
#include "coracle/sys/namespace.h"
#include "coracle/sys/process.h"
#include "coracle/sys/procfs.h"
#include "coracle/sys/rooted_path.h"
#include "coracle/sys/scheduling.h"
#include "coracle/sys/terminal.h"
#include "payload_private.h"
#include "session_private.h"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace coracle::launch {

namespace {

using sys::Fd;

struct Work {
    const char* role; ///< "mid" of the joiner, "exec" of the executor
    ChildEnd channel;
    Stage stage = Stage::begin;
    plan::ExecPlan plan;
    std::vector<Fd> joined;
    Fd root;
    Payload payload;
    std::vector<plan::Degradation> degraded;

    explicit Work(Fd socket) : role("mid"), channel(std::move(socket)) {}

    void enter(Stage next) {
        stage = next;
        show_stage(role, next);
    }
};

void set_affinity(const std::vector<std::uint64_t>& cpus, const char* member) {
    int errnum = cpus.empty() ? 0 : sys::try_set_affinity(0, cpus);
    if (errnum != 0) {
        throw_system(errnum,
                     std::string("/process/execCPUAffinity/") + member + ": run on the CPUs " +
                         write_number_list(cpus),
                     errnum == EINVAL ? "none of them is there and in the cpuset" : "");
    }
}

/// What needs the host's /proc, or fails once the process cannot be inspected.
void prepare_to_join(Work& work) {
    work.plan = work.channel.require<ExecPlanMessage>(&work.joined).plan;
    if (work.joined.size() != work.plan.joins.size()) {
        throw_error(ErrorKind::internal, "the plan came without the namespaces");
    }
    constexpr unsigned spare = 64; // the executor opens a few more
    unsigned size = sys::FdTable().size();
    work.payload.fd_table_size = size == 0 ? 0 : size + spare;
    // The executor gets the labels with the rest, and no descriptor of the host's /proc.
    Fd proc = sys::open_proc();
    security::apply_labels(work.plan.process, proc.get());
    set_affinity(work.plan.initial_cpus, "initial");
    if (work.plan.process.oom_score_adj) {
        sys::write_file(proc.get(), "self/oom_score_adj",
                        std::to_string(*work.plan.process.oom_score_adj));
    }
    // The memory of both processes belongs to the caller's user namespace, where they executed the
    // private copy: from here on no process of the container may touch them, privileged or not.
    sys::set_dumpable(sys::Dumpable::no);
}

void join(Work& work) {
    work.enter(Stage::join);
    for (std::size_t i = 0; i < work.joined.size(); ++i) {
        sys::join_namespaces(work.joined[i].get(), work.plan.joins[i]);
    }
    work.joined.clear();
    if (work.plan.joins_user_namespace) {
        (void)sys::become_root_or(work.plan.process.uid, work.plan.process.gid);
        // The change of ids has cleared the one, and fs.suid_dumpable may have changed the other.
        sys::set_parent_death_signal();
        sys::set_dumpable(sys::Dumpable::no);
    }
    work.root = sys::open_at(AT_FDCWD, "/", O_PATH | O_DIRECTORY);
}

void make_terminal(Work& work) {
    const plan::ProcessPlan& process = work.plan.process;
    if (!process.terminal) {
        return;
    }
    work.enter(Stage::console);
    Fd directory = sys::open_in_root(work.root.get(), "/dev/pts", O_RDONLY | O_DIRECTORY);
    sys::Pty pty = open_terminal(directory.get(), process);
    sys::make_controlling_terminal(pty.peer.get());
    work.channel.send_console(pty.manager.get());
}

void become_payload(Work& work) {
    sys::set_parent_death_signal();
    work.enter(Stage::cgroup);
    (void)work.channel.require<CgroupReady>();
    work.enter(Stage::session);
    set_affinity(work.plan.final_cpus, "final");
    sys::start_session();
    if (work.plan.join_session_keyring) {
        join_session_keyring(work.plan.id, work.degraded);
    }
    make_terminal(work);
    work.enter(Stage::identity);
    work.payload.process = std::move(work.plan.process);
    prepare_payload(work.payload, work.root.get(), sys::Dumpable::no, work.channel, work.degraded);
    work.enter(Stage::gate);
    // From here on this process only waits on the channel, whose EOF tells of the parent's death.
    sys::clear_parent_death_signal();
    work.root.reset();
    work.channel.send_ready(std::move(work.degraded));
    (void)work.channel.require<Start>();
    execute_payload(work.payload, work.channel, work.role);
}

/// The executor is born in the namespaces that the joiner has entered, the pid namespace included.
void bring_up(Work& work) {
    sys::set_parent_death_signal();
    prepare_to_join(work);
    if (work.plan.core_cookie_of != 0) { // while the pid means the same to this process
        security::share_core_cookie(work.plan.core_cookie_of, work.degraded);
    }
    join(work);
    pid_t executor = sys::clone_sibling();
    if (executor == 0) {
        work.role = "exec";
        become_payload(work);
    } else {
        work.channel.send_init_started(executor);
    }
}

} // namespace

void run_joiner(int channel_fd) noexcept {
    Work work{Fd(channel_fd)};
    try {
        sys::close_on_exec(channel_fd);
        bring_up(work);
        ::_exit(0);
    } catch (const std::exception& error) { // catch: a role's edge
        work.channel.send_failed(work.stage, error);
    }
    ::_exit(1);
}

} // namespace coracle::launch
