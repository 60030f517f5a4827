#include "creation_private.h"

#include "cgroup_private.h"
#include "coracle/base/error.h"
#include "coracle/base/log.h"
#include "coracle/base/text.h"
#include "coracle/host/detect.h"
#include "coracle/host/restrictions.h"
#include "coracle/sys/file.h"
#include "coracle/sys/process.h"
#include "coracle/sys/procfs.h"
#include "filter_store_private.h"
#include "handover_private.h"
#include "hooks_private.h"
#include "pid_file_private.h"
#include "seccomp_agent_private.h"

#include <csignal>
#include <unistd.h>

namespace coracle::container {

namespace {

constexpr const char* supported_spec = "1.3.0";

ContainerDir create_dir(const Context& context, const std::string& id) {
    std::optional<StateRoot> root = StateRoot::open(state_root_path(context), MissingRoot::make);
    return ContainerDir::create(*root, id);
}

std::vector<std::string> describe_degradations(const plan::LaunchPlan& plan,
                                               const std::vector<plan::Degradation>& taken) {
    std::vector<std::string> texts;
    for (const std::vector<plan::Degradation>* list : {&plan.degradations, &taken}) {
        for (const plan::Degradation& entry : *list) {
            texts.push_back(entry.what + ": " + entry.why);
        }
    }
    return texts;
}

/// What delete has to remove, the innermost first.
std::vector<std::string> resctrl_groups(const plan::LaunchPlan& plan) {
    std::vector<std::string> groups;
    if (plan.resctrl && !plan.resctrl->monitor_group.empty()) {
        std::string parent = plan.resctrl->group.empty() ? "" : plan.resctrl->group + "/";
        groups.push_back(parent + "mon_groups/" + plan.resctrl->monitor_group);
    }
    if (plan.resctrl && plan.resctrl->owned) {
        groups.push_back(plan.resctrl->group);
    }
    return groups;
}

std::vector<NamespaceKind> new_kinds(const plan::LaunchPlan& plan) {
    std::vector<NamespaceKind> kinds;
    for (const plan::NamespacePlan& entry : plan.namespaces) {
        if (entry.path.empty()) {
            kinds.push_back(entry.kind);
        }
    }
    return kinds;
}

} // namespace

Creation::Creation(const Context& context, const CreateOptions& options, const Decision& decision,
                   int proc_fd)
    : options_(options), decision_(decision), proc_fd_(proc_fd),
      console_socket_(connect_if_named(options.console_socket, "--console-socket")),
      pidfd_socket_(connect_if_named(options.pidfd_socket, "--pidfd-socket")),
      pidfd_receiver_(connect_if_named(decision.plan.pidfd_receiver, "run.oci.pidfd_receiver")),
      dir_(create_dir(context, options.id)) {}

Creation::~Creation() {
    if (kept_) {
        return;
    }
    // After commit the launch does not kill any more, but what is removed below must not be used.
    if (launch_ && launch_->pidfd() >= 0) {
        (void)sys::try_send_signal(launch_->pidfd(), SIGKILL);
    }
    launch_.reset();
    if (record_.cgroup && !record_.cgroup->scope.empty() && record_.cgroup->id == 0) {
        record_.cgroup.reset(); // the launch has taken it back; else it ends with its processes
    }
    gate_.reset(); // the removal below needs fds, and RLIMIT_NOFILE may be what has failed
    console_socket_.reset();
    pidfd_socket_.reset();
    pidfd_receiver_.reset();
    try {
        if (pid_file_written_) {
            remove_pid_file(options_.pid_file);
        }
        if (dir_.lock()) { // else somebody has deleted it while it ran
            remove_with_hooks(dir_, record_);
        }
    } catch (const std::exception&) { // catch: an error is on its way already
    }
}

spec::Record Creation::make_record() const {
    spec::Record record;
    record.oci_version = supported_spec;
    record.id = options_.id;
    record.bundle = decision_.bundle.path;
    record.rootfs = decision_.plan.init.rootfs.path;
    record.created = timestamp_now();
    record.owner = host::effective_uid();
    record.boot_id = sys::read_boot_id(proc_fd_);
    record.pid_file = absolute_pid_file(options_.pid_file);
    record.creator_pid = ::getpid();
    record.resctrl = resctrl_groups(decision_.plan);
    const plan::CgroupPlan& cgroup = decision_.plan.cgroup;
    if (cgroup.method == plan::CgroupMethod::cgroupfs) {
        record.cgroup.emplace().path = cgroup.path;
    } else if (cgroup.method == plan::CgroupMethod::systemd) {
        spec::CgroupRecord& scope = record.cgroup.emplace();
        scope.scope = cgroup.scope.name;
        scope.system = cgroup.scope.bus == plan::BusKind::system;
        scope.bus_path = cgroup.scope.bus_path;
    }
    record.no_cgroup = cgroup.reason;
    record.degradations = describe_degradations(decision_.plan, {});
    record.session_keyring = decision_.plan.init.new_session_keyring;
    record.annotations = decision_.bundle.config.annotations;
    const spec::Hooks& hooks = decision_.bundle.config.hooks;
    record.hooks.start_container = hooks.start_container;
    record.hooks.poststart = hooks.poststart;
    record.hooks.poststop = hooks.poststop;
    if (decision_.plan.seccomp && decision_.plan.seccomp->listener) {
        const plan::SeccompListener& listener = *decision_.plan.seccomp->listener;
        record.seccomp_listener = {listener.path, listener.metadata};
    }
    return record;
}

void Creation::write_pid_file() {
    if (!options_.pid_file.empty()) {
        container::write_pid_file(options_.pid_file, options_.id, launch_->pid());
        pid_file_written_ = true;
    }
}

void Creation::hand_over_fds() {
    if (console_socket_) {
        send_console(console_socket_, launch_->take_console());
    }
    if (pidfd_socket_) {
        send_pidfd(pidfd_socket_, launch_->pidfd(), "--pidfd-socket");
    }
    if (pidfd_receiver_) {
        send_pidfd(pidfd_receiver_, launch_->pidfd(), "run.oci.pidfd_receiver");
    }
}

void Creation::require_strict() const {
    if (decision_.plan.strict && !launch_->degraded().empty()) {
        const plan::Degradation& first = launch_->degraded().front();
        throw_error(ErrorKind::unsupported, first.what + ": " + first.why + " (--strict)");
    }
}

void Creation::bring_up_init() {
    try {
        launch_->bring_up([this] {
            find_start_time();
            if (start_time_) { // else init has failed, and says why
                dir_.stage(make_created_record());
            }
        });
    } catch (Error& error) { // catch: adds what this host forbids, rethrows
        launch::Stage stage = launch_->failed_stage();
        if (stage != launch::Stage::begin && !error.text().ends_with(')')) {
            bool namespaces = stage == launch::Stage::unshare || stage == launch::Stage::id_map;
            error.explain(host::explain_refusal(
                proc_fd_, namespaces ? host::Refused::namespaces : host::Refused::later_step,
                error.errnum(), new_kinds(decision_.plan)));
        }
        throw;
    }
}

void Creation::find_start_time() {
    if (std::optional<sys::ProcessStat> stat = sys::find_process_stat(proc_fd_, launch_->pid())) {
        start_time_ =
            stat->start_time - static_cast<std::uint64_t>(sys::find_boot_time_offset(proc_fd_));
    }
}

spec::Record Creation::make_created_record() const {
    spec::Record record = record_;
    record.pid = launch_->pid();
    record.start_time = *start_time_;
    record.degradations = describe_degradations(decision_.plan, launch_->degraded());
    cgroup::Location cgroup = launch_->cgroup();
    record.cgroup = cgroup.path.empty() ? std::nullopt : std::optional(make_cgroup_record(cgroup));
    if (!record.cgroup && record.no_cgroup.empty()) {
        record.no_cgroup = "it could not be made: see degradations";
    }
    return record;
}

void Creation::bring_up() {
    // The intent first: whatever happens from here on, `delete --force` finds it.
    record_ = make_record();
    dir_.save(record_);
    dir_.save_config(decision_.bundle.text);
    make_entries(dir_.fd(), decision_.bundle.entries);
    if (decision_.plan.init.gate == plan::GateKind::socket) {
        gate_ = dir_.listen_at_gate();
    }
    if (decision_.notifies) {
        notify_ = dir_.bind_notify_socket();
    }
    launch_ = std::make_unique<launch::Launch>(
        decision_.plan, proc_fd_,
        gate_ ? launch::GateSockets{gate_.get(), notify_.get()} : launch::GateSockets{},
        [this](const char* status, pid_t pid) { return describe_state(record_, status, pid); },
        [this](const plan::SeccompPlan& seccomp) {
            return compile_filter(dir_.root_fd(), seccomp);
        });
    bring_up_init();
    if (gate_) {
        notify_.reset();
    }
    gate_.reset();
    require_strict();
    hand_over_fds();

    if (!start_time_) {
        throw_error(ErrorKind::system, "init has ended before it was recorded");
    }
    record_ = make_created_record();
    dir_.save(record_);
    write_pid_file();
    launch_->commit();
    if (decision_.plan.init.gate == plan::GateKind::socket) {
        dir_.save_copy();
    }
}

void Creation::start(const launch::TakeListener& take_listener) {
    launch_->start(take_listener ? take_listener : connect_to_agent(record_, launch_->pid()));
    try {
        dir_.save_copy();
    } catch (const Error& error) { // catch: the program runs already, and does not end for that
        log::warning(error.text() + ": no copy of the record, should it be damaged");
    }
    run_poststart_hooks(record_);
    launch_->keep_devices();
}

} // namespace coracle::container
