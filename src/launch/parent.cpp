#include "coracle/launch/launch.h"

#include "channel_private.h"
#include "coracle/security/seccomp.h"
#include "coracle/sys/file.h"
#include "coracle/sys/namespace.h"
#include "coracle/sys/process.h"
#include "coracle/sys/procfs.h"
#include "coracle/sys/socket.h"
#include "id_map_private.h"
#include "intermediate_private.h"
#include "mount_sources_private.h"
#include "namespaces_private.h"
#include "outcome_private.h"
#include "private_copy_private.h"

#include <cerrno>
#include <csignal>

namespace coracle::launch {

namespace {

using sys::Fd;

constexpr std::chrono::seconds step_deadline{30};

/// A process of ours: known by pidfd, reaped once.
struct Child {
    pid_t pid = 0;
    Fd pidfd;

    void adopt(pid_t new_pid) {
        pid = new_pid;
        int errnum = sys::try_open_pidfd(new_pid, pidfd);
        if (errnum != 0) {
            throw_system(errnum, "open a pidfd of process " + std::to_string(new_pid));
        }
    }
    [[nodiscard]] int reap() {
        pidfd.reset();
        return sys::wait_for_child(std::exchange(pid, 0));
    }
    void kill_and_reap() noexcept {
        if (pid <= 0) {
            return;
        }
        (void)::kill(pid, SIGKILL); // our own child, not reaped: the pid is still its own
        try {
            (void)reap();
        } catch (const Error&) { // catch: cleaning up; somebody else has reaped it
        }
    }
};

} // namespace

struct Launch::State {
    const plan::LaunchPlan& plan;
    int proc_fd;
    int gate;
    ParentEnd channel{Fd()};
    Child intermediate;
    Child init;
    bool committed = false;
    Stage failed_stage = Stage::begin;
    Fd console;
    std::vector<plan::Degradation> degraded;

    State(const plan::LaunchPlan& launch_plan, int proc, int listener)
        : plan(launch_plan), proc_fd(proc), gate(listener) {}

    /// The next message, from `child`, within the deadline.
    Received receive(Child& child, const char* role);
    template <class Expected>
    Received require(Child& child, const char* role);
    void clone_intermediate(const std::vector<OpenNamespace>& joined, int private_copy);
    void map_ids();
    void let_init_go_on();
    void adopt_init();
};

Received Launch::State::receive(Child& child, const char* role) {
    sys::Ready ready =
        sys::wait_readable(channel.fd(), sys::exit_fd_of(child.pidfd.get()), step_deadline);
    if (ready == sys::Ready::neither) {
        throw_error(ErrorKind::system, std::string(role) + " does not answer within " +
                                           std::to_string(step_deadline.count()) +
                                           " seconds at stage " +
                                           find_stage_name(proc_fd, child.pid));
    }
    // What it sent before it ended counts, even if both came within one poll.
    bool has_message =
        ready == sys::Ready::first ||
        sys::wait_readable(channel.fd(), -1, std::chrono::milliseconds(0)) == sys::Ready::first;
    std::optional<Received> received = has_message ? channel.receive() : std::nullopt;
    if (!received) {
        std::string stage = find_stage_name(proc_fd, child.pid);
        throw_ended(stage, child.reap(), role);
    }
    if (const Failed* failed = std::get_if<Failed>(&received->message)) {
        failed_stage = failed->stage;
        throw_failed(*failed, role, channel);
    }
    return std::move(*received);
}

template <class Expected>
Received Launch::State::require(Child& child, const char* role) {
    Received received = receive(child, role);
    if (!std::holds_alternative<Expected>(received.message)) {
        throw_error(ErrorKind::internal,
                    std::string(role) + " sent an unexpected " + name_of(received.message));
    }
    return received;
}

void Launch::State::clone_intermediate(const std::vector<OpenNamespace>& joined, int private_copy) {
    auto [parent_end, child_end] = sys::make_packet_pair();
    channel = ParentEnd(std::move(parent_end));
    ChildEnd child_channel(std::move(child_end));
    pid_t pid = sys::clone_process();
    if (pid == 0) {
        // Only its own end: a copy of ours would keep it from seeing that the parent is gone.
        channel.close();
        run_intermediate({plan, joined, proc_fd, private_copy}, child_channel);
    }
    child_channel.close();
    intermediate.adopt(pid);
}

void Launch::State::map_ids() {
    (void)require<NeedIdMap>(intermediate, "intermediate");
    in_context(
        [&] {
            failed_stage = Stage::id_map;
            return std::string(name_of(failed_stage));
        },
        [&] { write_id_maps(plan.id_map, proc_fd, intermediate.pid); });
    write_time_offsets(plan.time_offsets, proc_fd, intermediate.pid);
    channel.send_id_map_done();
}

/// Init cannot become ready before CgroupReady, so that its Ready never overtakes the
/// intermediate's InitStarted.
void Launch::State::let_init_go_on() {
    std::vector<Fd> sources = open_mount_sources(plan, proc_fd, init.pid); // while init waits
    channel.send_cgroup_ready();
    if (plan.init.rootfs.sources_given) {
        channel.send_mount_sources(sources);
    }
    if (plan.seccomp) { // compiled while init mounts
        channel.send_filter(security::compile_seccomp(*plan.seccomp));
    }
}

void Launch::State::adopt_init() {
    Received started = require<InitStarted>(intermediate, "intermediate");
    init.adopt(std::get<InitStarted>(started.message).pid);
    int status = intermediate.reap();
    if (status != 0) {
        throw_ended({}, status, "intermediate");
    }
}

Launch::Launch(const plan::LaunchPlan& plan, int proc_fd, int gate)
    : state_(std::make_unique<State>(plan, proc_fd, gate)) {}

Launch::~Launch() {
    state_->channel.close();
    state_->intermediate.kill_and_reap();
    if (!state_->committed) {
        state_->init.kill_and_reap();
    }
}

void Launch::bring_up() {
    State& state = *state_;
    std::vector<OpenNamespace> joined = open_namespaces(state.plan, state.proc_fd);
    PrivateCopy private_copy;
    state.clone_intermediate(joined, private_copy.fd());
    state.map_ids();
    private_copy.fill(); // while the intermediate unshares the rest
    state.channel.send_copy_ready();
    state.channel.send_plan(state.plan.init, state.gate); // waits in the queue for init's execve
    state.adopt_init();
    state.let_init_go_on();
    Received received = state.receive(state.init, "init");
    if (std::holds_alternative<Console>(received.message) && received.fds.size() == 1) {
        state.console = std::move(received.fds.front());
        received = state.receive(state.init, "init");
    }
    ReadyMessage* ready = std::get_if<ReadyMessage>(&received.message);
    if (ready == nullptr) {
        throw_error(ErrorKind::internal,
                    std::string("init sent an unexpected ") + name_of(received.message));
    }
    state.degraded = std::move(ready->degraded);
}

Stage Launch::failed_stage() const noexcept {
    return state_->failed_stage;
}

pid_t Launch::pid() const noexcept {
    return state_->init.pid;
}

int Launch::pidfd() const noexcept {
    return state_->init.pidfd.get();
}

const std::vector<plan::Degradation>& Launch::degraded() const noexcept {
    return state_->degraded;
}

sys::Fd Launch::take_console() noexcept {
    return std::move(state_->console);
}

void Launch::commit() {
    state_->channel.send_committed();
    state_->committed = true;
}

void Launch::start() {
    State& state = *state_;
    state.channel.send_start();
    (void)state.require<Accepted>(state.init, "init");
    // No pidfd here: a payload that is executed and ends at once is a success, and EOF says both.
    if (sys::wait_readable(state.channel.fd(), -1, step_deadline) == sys::Ready::neither) {
        throw_error(ErrorKind::system, "init does not execute the program within " +
                                           std::to_string(step_deadline.count()) + " seconds");
    }
    std::optional<Received> received = state.channel.receive();
    if (received) {
        if (const Failed* failed = std::get_if<Failed>(&received->message)) {
            throw_failed(*failed, "init", state.channel);
        }
        throw_error(ErrorKind::internal, "init sent an unexpected message at its start");
    }
    require_gone_on(state.proc_fd, state.init.pid, state.init.pidfd.get(), Stage::execve);
}

std::string seccomp_library_version() {
    return security::libseccomp_version();
}

} // namespace coracle::launch
