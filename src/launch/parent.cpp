#include "coracle/launch/launch.h"

#include "coracle/cgroup/resctrl.h"
#include "coracle/security/seccomp.h"
#include "coracle/sys/file.h"
#include "coracle/sys/namespace.h"
#include "coracle/sys/process.h"
#include "coracle/sys/procfs.h"
#include "coracle/sys/socket.h"
#include "hooks_private.h"
#include "id_map_private.h"
#include "intermediate_private.h"
#include "mount_sources_private.h"
#include "namespaces_private.h"
#include "net_devices_private.h"
#include "outcome_private.h"
#include "parent_hooks_private.h"
#include "parent_side_private.h"
#include "private_copy_private.h"

namespace coracle::launch {

using sys::Fd;

struct Launch::State {
    const plan::LaunchPlan& plan;
    int proc_fd;
    GateSockets gate;
    DescribeState describe_state;
    CompileFilter compile;
    ParentSide side;
    Child intermediate;
    Child init;
    NetDevices net_devices;
    cgroup::Resctrl resctrl;
    cgroup::Placement placement;
    cgroup::Placement::Born born = cgroup::Placement::Born::elsewhere;
    std::optional<std::vector<std::uint8_t>> filter; ///< compiled, until it is sent
    bool committed = false;
    Fd console;
    std::vector<plan::Degradation> degraded;

    State(const plan::LaunchPlan& launch_plan, int proc, GateSockets sockets,
          DescribeState describe, CompileFilter compile_with)
        : plan(launch_plan), proc_fd(proc), gate(sockets), describe_state(std::move(describe)),
          compile(std::move(compile_with)), side{proc, "init"},
          placement(launch_plan.cgroup, proc) {}

    void clone_intermediate(const std::vector<OpenNamespace>& joined, int private_copy);
    void map_ids();
    void use_idle_time();
    void compile_filter();
    void finish_cgroup();
    void let_init_go_on();
    void send_hook_states();
    void run_create_hooks();
    void adopt_init();
};

void Launch::State::clone_intermediate(const std::vector<OpenNamespace>& joined, int private_copy) {
    auto [parent_end, child_end] = sys::make_packet_pair();
    side.channel = ParentEnd(std::move(parent_end));
    ChildEnd child_channel(std::move(child_end));
    sys::Clone clone;
    if (placement.birth_fd() >= 0) {
        clone = sys::clone_process_into(placement.birth_fd());
    } else {
        clone.pid = sys::clone_process();
    }
    if (clone.pid == 0) {
        // Only its own end: a copy of ours would keep it from seeing that the parent is gone.
        side.channel.close();
        run_intermediate({plan, joined, proc_fd, private_copy}, child_channel);
    }
    child_channel.close();
    if (clone.is_in_cgroup) {
        born = cgroup::Placement::Born::inside;
    }
    intermediate.adopt(clone.pid);
}

void Launch::State::map_ids() {
    (void)side.require<NeedIdMap>(intermediate, "intermediate");
    if (plan.cgroup.scope_start == plan::ScopeStart::with_intermediate) {
        placement.begin(intermediate.pid, born); // it still has the caller's uid
        placement.finish();
        born = cgroup::Placement::Born::inside; // so init will be
    }
    in_context(
        [&] {
            side.failed_stage = Stage::id_map;
            return std::string(name_of(side.failed_stage));
        },
        [&] { write_id_maps(plan.id_map, proc_fd, intermediate.pid); });
    write_time_offsets(plan.time_offsets, proc_fd, intermediate.pid);
    side.channel.send_id_map_done();
}

void Launch::State::compile_filter() {
    if (plan.seccomp && !filter) {
        filter = compile(*plan.seccomp);
    }
}

/// The intermediate unshares the rest, and then init mounts. With a scope the filter is compiled
/// while systemd works.
void Launch::State::use_idle_time() {
    if (plan.cgroup.method != plan::CgroupMethod::systemd ||
        plan.cgroup.scope_start != plan::ScopeStart::with_init) {
        compile_filter();
    }
}

/// Where it fails since init has failed, init's own words tell why.
void Launch::State::finish_cgroup() {
    try {
        if (plan.cgroup.scope_start == plan::ScopeStart::with_init) {
            placement.finish();
        }
        placement.settle(init.pid);
    } catch (const Error&) { // catch: prefers the cause, rethrows
        if (sys::wait_for_exit(init.pidfd.get(), std::chrono::milliseconds(0))) {
            (void)side.receive(init, "init");
        }
        throw;
    }
}

/// Init cannot become ready before CgroupReady, so that its Ready never overtakes the
/// intermediate's InitStarted.
void Launch::State::let_init_go_on() {
    if (plan.cgroup.scope_start == plan::ScopeStart::with_init) {
        placement.begin(init.pid, born);
    }
    compile_filter();
    if (plan.resctrl) {
        resctrl.apply(*plan.resctrl, init.pid);
    }
    net_devices.move(plan.net_devices, proc_fd, init.pid);
    std::vector<Fd> sources = open_mount_sources(plan, proc_fd, init.pid); // while init waits
    finish_cgroup();
    side.channel.send_cgroup_ready();
    send_hook_states();
    if (plan.init.rootfs.sources_given) {
        side.channel.send_mount_sources(sources);
    }
    if (filter) {
        side.channel.send_filter(std::move(*filter));
    }
}

void Launch::State::send_hook_states() {
    if (plan.init.create_container_hooks.empty() && plan.init.start_container_hooks.empty()) {
        return;
    }
    HookFiles files = open_hook_files(plan.hooks.output);
    std::vector<int> fds;
    for (const Fd* file : {&files.output, &files.errors}) {
        if (*file) {
            fds.push_back(file->get());
        }
    }
    pid_t pid = sys::find_namespace_pid(proc_fd, init.pid);
    side.channel.send_hook_states({describe_state("creating", pid), describe_state("created", pid),
                                   static_cast<bool>(files.output),
                                   static_cast<bool>(files.errors)},
                                  fds);
}

/// Init waits meanwhile, before pivot.
void Launch::State::run_create_hooks() {
    std::string state = describe_state("creating", init.pid);
    for (const std::vector<plan::Hook>* hooks :
         {&plan.hooks.prestart, &plan.hooks.create_runtime}) {
        run_hooks(*hooks, plan.hooks.output, plan.bundle, state);
    }
    side.channel.send_hooks_done();
}

void Launch::State::adopt_init() {
    Received started = side.require<InitStarted>(intermediate, "intermediate");
    init.adopt(std::get<InitStarted>(started.message).pid);
    int status = intermediate.reap();
    if (status != 0) {
        throw_ended({}, status, "intermediate");
    }
}

Launch::Launch(const plan::LaunchPlan& plan, int proc_fd, GateSockets gate,
               DescribeState describe_state, CompileFilter compile_filter)
    : state_(std::make_unique<State>(plan, proc_fd, gate, std::move(describe_state),
                                     std::move(compile_filter))) {}

Launch::~Launch() {
    state_->side.channel.close();
    state_->intermediate.kill_and_reap();
    if (!state_->committed) {
        state_->init.kill_and_reap(); // before the placement removes its cgroup
    }
}

void Launch::bring_up(const std::function<void()>& meanwhile) {
    State& state = *state_;
    std::vector<OpenNamespace> joined = open_namespaces(state.plan, state.proc_fd);
    state.placement.prepare();
    sys::ProgramFile private_copy = make_private_copy();
    state.clone_intermediate(joined, private_copy.fd());
    state.map_ids();
    private_copy.fill(); // while the intermediate unshares the rest
    state.side.channel.send_copy_ready();
    // It waits in the queue for init's execve.
    state.side.channel.send_plan(state.plan.init, state.gate.listener, state.gate.notify);
    state.use_idle_time();
    state.adopt_init();
    state.let_init_go_on();
    if (state.plan.init.waits_for_hooks) {
        (void)state.side.require<AtHooks>(state.init, "init");
        state.run_create_hooks();
    }
    const std::vector<plan::Degradation>& lacking = state.placement.degraded();
    state.degraded = lacking;
    meanwhile();
    state.side.patience = patience_with(state.plan.init.create_container_hooks, step_deadline);
    state.degraded = state.side.await_ready(state.init, state.console);
    state.degraded.insert(state.degraded.end(), lacking.begin(), lacking.end());
}

Stage Launch::failed_stage() const noexcept {
    return state_->side.failed_stage;
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

cgroup::Location Launch::cgroup() const {
    return state_->placement.location();
}

sys::Fd Launch::take_console() noexcept {
    return std::move(state_->console);
}

void Launch::commit() {
    state_->side.channel.send_committed();
    if (state_->plan.init.gate == plan::GateKind::socket) {
        keep_devices();
    }
    state_->resctrl.keep();
    state_->placement.keep();
    state_->committed = true;
}

void Launch::keep_devices() noexcept {
    state_->net_devices.keep();
}

void Launch::start(const TakeListener& take_listener) {
    State& state = *state_;
    state.side.patience = patience_with(state.plan.init.start_container_hooks, step_deadline);
    state.side.start(state.init, take_listener);
}

std::string seccomp_library_version() {
    return security::libseccomp_version();
}

} // namespace coracle::launch
