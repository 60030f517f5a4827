#include "coracle/launch/exec.h"

#include "coracle/sys/namespace.h"
#include "coracle/sys/process.h"
#include "coracle/sys/socket.h"
#include "namespaces_private.h"
#include "outcome_private.h"
#include "parent_side_private.h"
#include "private_copy_private.h"

namespace coracle::launch {

using sys::Fd;

struct ExecLaunch::State {
    const plan::ExecLaunchPlan& plan;
    ExecTarget target;
    PlaceInCgroup place;
    CompileFilter compile;
    ParentSide side;
    Child joiner;
    Child executor;
    bool released = false;
    Fd console;
    std::vector<plan::Degradation> degraded;

    State(const plan::ExecLaunchPlan& launch_plan, int proc_fd, ExecTarget whom, PlaceInCgroup put,
          CompileFilter compile_filter)
        : plan(launch_plan), target(whom), place(std::move(put)),
          compile(std::move(compile_filter)), side{proc_fd, "exec"} {}

    void start_joiner();
    void send_plan();
    void adopt_executor();
};

void ExecLaunch::State::start_joiner() {
    sys::ProgramFile private_copy = make_private_copy();
    private_copy.fill();
    auto [parent_end, child_end] = sys::make_packet_pair();
    side.channel = ParentEnd(std::move(parent_end));
    ChildEnd child_channel(std::move(child_end));
    CopyStart start{private_copy.fd(), child_channel, "coracle-exec", "mid:begin",
                    CopyStart::Copy::complete};
    pid_t pid = sys::start_child(execute_private_copy, &start);
    child_channel.close();
    joiner.adopt(pid);
}

void ExecLaunch::State::send_plan() {
    plan::ExecPlan exec = plan.exec;
    std::vector<Fd> opened;
    std::vector<int> fds;
    int pidfd = sys::exit_fd_of(target.pidfd);
    if (pidfd >= 0 && !plan.namespaces.empty()) {
        std::uint64_t flags = 0;
        for (NamespaceKind kind : plan.namespaces) {
            flags |= clone_flag_of(kind);
        }
        exec.joins = {flags};
        fds = {pidfd};
    } else {
        for (OpenNamespace& entry : open_namespaces_of(target.directory, plan.namespaces)) {
            exec.joins.push_back(clone_flag_of(entry.kind));
            fds.push_back(entry.fd.get());
            opened.push_back(std::move(entry.fd));
        }
    }
    side.channel.send_exec_plan(exec, fds);
}

void ExecLaunch::State::adopt_executor() {
    std::vector<std::uint8_t> filter;
    if (plan.seccomp) { // compiled while the joiner works
        filter = compile(*plan.seccomp);
    }
    Received started = side.require<InitStarted>(joiner, "joiner");
    executor.adopt(std::get<InitStarted>(started.message).pid);
    int status = joiner.reap();
    if (status != 0) {
        throw_ended({}, status, "joiner");
    }
    if (plan.placed == plan::ExecPlaced::executor) {
        place(executor.pid);
    }
    // Nothing of the executor may overtake InitStarted, so it waits for this.
    side.channel.send_cgroup_ready();
    if (plan.seccomp) {
        side.channel.send_filter(std::move(filter));
    }
}

ExecLaunch::ExecLaunch(const plan::ExecLaunchPlan& plan, int proc_fd, ExecTarget target,
                       PlaceInCgroup place, CompileFilter compile_filter)
    : state_(std::make_unique<State>(plan, proc_fd, target, std::move(place),
                                     std::move(compile_filter))) {}

ExecLaunch::~ExecLaunch() {
    state_->side.channel.close();
    state_->joiner.kill_and_reap();
    if (!state_->released) {
        state_->executor.kill_and_reap();
    }
}

void ExecLaunch::bring_up() {
    State& state = *state_;
    state.start_joiner();
    if (state.plan.placed == plan::ExecPlaced::joiner) {
        state.place(state.joiner.pid); // it waits for its plan
    }
    state.send_plan();
    state.adopt_executor();
    state.degraded = state.side.await_ready(state.executor, state.console);
}

pid_t ExecLaunch::pid() const noexcept {
    return state_->executor.pid;
}

int ExecLaunch::pidfd() const noexcept {
    return state_->executor.pidfd.get();
}

const std::vector<plan::Degradation>& ExecLaunch::degraded() const noexcept {
    return state_->degraded;
}

sys::Fd ExecLaunch::take_console() noexcept {
    return std::move(state_->console);
}

void ExecLaunch::start(const TakeListener& take_listener) {
    state_->side.start(state_->executor, take_listener);
}

void ExecLaunch::release() noexcept {
    state_->released = true;
}

} // namespace coracle::launch
