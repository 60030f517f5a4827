#include "coracle/plan/make_launch_plan.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/plan/seccomp.h"
#include "coracle/spec/annotations.h"
#include "plan_private.h"

namespace coracle::plan {

namespace {

/// Of runtime-spec 1.x.
constexpr std::uint64_t newest_minor_version = 3;

void degrade_if(bool present, const char* what, const char* why, LaunchPlan& plan) {
    if (present) {
        plan.degradations.push_back({what, why});
    }
}

/// Known, and asked in vain: an error where the container would be less confined.
void plan_foreign_annotations(const std::map<std::string, std::string>& annotations,
                              LaunchPlan& plan) {
    for (const spec::ForeignAnnotation& foreign : spec::foreign_annotations) {
        auto found = annotations.find(std::string(foreign.name));
        if (found == annotations.end() || found->second.empty()) {
            continue;
        }
        std::string what = "/annotations/" + found->first;
        if (foreign.weakens) {
            throw_error(ErrorKind::unsupported,
                        what + ": " + foreign.why + ", or remove the annotation");
        }
        plan.degradations.push_back({what, std::string("has no effect: ") + foreign.why});
    }
}

void plan_annotations(const Inputs& inputs, LaunchPlan& plan) {
    const std::map<std::string, std::string>& annotations = inputs.config.annotations;
    plan_foreign_annotations(annotations, plan);
    auto receiver = annotations.find(std::string(spec::pidfd_receiver_annotation));
    if (receiver == annotations.end()) {
        return;
    }
    if (!receiver->second.starts_with('/')) {
        throw_error(ErrorKind::invalid_config, "/annotations/" + receiver->first +
                                                   ": must be the absolute path of a unix socket");
    }
    plan.pidfd_receiver = receiver->second;
}

/// Source: runtime-spec config.md#specification-version.
void plan_version(const Inputs& inputs, LaunchPlan& plan) {
    std::vector<std::string_view> parts = split(inputs.config.oci_version, '.');
    std::optional<std::uint64_t> minor =
        parts.size() < 2 ? std::nullopt : parse_unsigned(parts[1], UINT64_MAX);
    degrade_if(!minor || *minor > newest_minor_version, "/ociVersion",
               "newer than 1.3, so that members which it has added are passed over", plan);
}

void require_mount_order(const InitPlan& init) {
    if (init.process.terminal && !init.rootfs.pivot) {
        throw_error(ErrorKind::unsupported,
                    "/process/terminal: not supported together with --no-pivot yet");
    }
}

InitPlan make_init_plan(const Inputs& inputs, LaunchPlan& plan) {
    InitPlan init;
    init.id = inputs.options.id;
    init.gate = inputs.options.gate;
    init.hostname = inputs.config.hostname;
    init.domainname = inputs.config.domainname;
    init.new_session_keyring = inputs.options.new_session_keyring;
    init.new_cgroup_namespace = has_new(plan.namespaces, NamespaceKind::cgroup);
    init.loopback_up = has_new(plan.namespaces, NamespaceKind::network);
    init.own_pid_namespace = has_new(plan.namespaces, NamespaceKind::pid);
    degrade_if(!init.own_pid_namespace && plan.cgroup.method == CgroupMethod::none,
               "/linux/namespaces",
               "without a pid namespace of its own or a cgroup, kill and delete reach "
               "the container's first process only",
               plan);
    init.sysctls = make_sysctls(inputs, plan);
    deny_nested_users(inputs, plan, init);
    init.rootfs = make_rootfs(inputs, plan);
    init.awaits_parent = init.rootfs.sources_given || !plan.cgroup.writes.empty() ||
                         plan.cgroup.devices || plan.resctrl || !plan.net_devices.empty();
    init.process = make_process(inputs, plan);
    plan_parent_death(inputs, plan, init.process);
    init.process.has_filter = plan.seccomp.has_value();
    init.process.filter_flags = plan.seccomp ? plan.seccomp->filter_flags : 0;
    plan_hooks(inputs, plan, init);
    require_mount_order(init);
    return init;
}

void require_strict(const LaunchPlan& plan) {
    if (!plan.degradations.empty()) {
        const Degradation& first = plan.degradations.front();
        throw_error(ErrorKind::unsupported, first.what + ": " + first.why + " (--strict)");
    }
}

} // namespace

LaunchPlan make_launch_plan(const spec::Config& config, const host::Facts& facts,
                            const LaunchOptions& options) {
    static const spec::Linux no_linux;
    Inputs inputs{config, config.linux_ ? *config.linux_ : no_linux, facts, options};

    LaunchPlan plan;
    plan.id = options.id;
    plan.bundle = options.bundle;
    plan.namespaces = make_namespaces(inputs);
    plan.time_offsets = make_time_offsets(inputs, plan);
    plan.net_devices = make_net_devices(inputs);
    plan.resctrl = make_resctrl(inputs);
    plan.user_namespace = choose_user_namespace(plan.namespaces);
    plan.id_map = make_id_map(inputs, plan);
    plan_cgroup(inputs, plan);
    plan_version(inputs, plan);
    plan_annotations(inputs, plan);
    if (inputs.linux_.seccomp) {
        plan.seccomp = make_seccomp_plan(inputs.config);
        if (inputs.options.explain == Explain::refused_calls) {
            plan.seccomp = make_explained(*std::move(plan.seccomp));
        }
    } else if (inputs.options.explain == Explain::refused_calls) {
        throw_error(ErrorKind::usage, "--explain: there is no /linux/seccomp, so nothing is "
                                      "refused by a filter: leave it out");
    }
    plan.init = make_init_plan(inputs, plan);
    plan.strict = options.strict;
    if (options.strict) {
        require_strict(plan);
    }
    return plan;
}

} // namespace coracle::plan
