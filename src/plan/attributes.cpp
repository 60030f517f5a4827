#include "plan_private.h"

#include "coracle/base/error.h"
#include "coracle/base/number_list.h"
#include "coracle/base/text.h"
#include "coracle/spec/process_names.h"

#include <string_view>

namespace coracle::plan {

namespace {

std::uint32_t value_of_word(spec::NameTable table, const std::string& word, const char* pointer) {
    std::optional<std::uint32_t> value = spec::find_value(table, word);
    if (!value) {
        throw_error(ErrorKind::invalid_config,
                    std::string(pointer) + ": unknown word " + printable(word));
    }
    return *value;
}

SchedulerPlan make_scheduler(const spec::Scheduler& config) {
    SchedulerPlan plan;
    plan.policy =
        value_of_word(spec::scheduler_policies(), config.policy, "/process/scheduler/policy");
    for (const std::string& flag : config.flags) {
        plan.flags |= value_of_word(spec::scheduler_flags(), flag, "/process/scheduler/flags");
    }
    plan.nice = config.nice;
    plan.priority = static_cast<std::uint32_t>(config.priority);
    plan.runtime = config.runtime;
    plan.deadline = config.deadline;
    plan.period = config.period;
    return plan;
}

IoPriorityPlan make_io_priority(const spec::IoPriority& config) {
    return {value_of_word(spec::io_priority_classes(), config.priority_class,
                          "/process/ioPriority/class"),
            static_cast<std::uint32_t>(config.priority)};
}

MemoryPolicyPlan make_memory_policy(const spec::MemoryPolicy& config) {
    MemoryPolicyPlan plan;
    plan.mode = value_of_word(spec::memory_policy_modes(), config.mode, "/linux/memoryPolicy/mode");
    for (const std::string& flag : config.flags) {
        plan.mode |= value_of_word(spec::memory_policy_flags(), flag, "/linux/memoryPolicy/flags");
    }
    std::optional<std::vector<std::uint64_t>> nodes = parse_number_list(config.nodes, UINT16_MAX);
    if (!nodes) {
        throw_error(ErrorKind::invalid_config,
                    "/linux/memoryPolicy/nodes: not a list of nodes: " + printable(config.nodes));
    }
    plan.nodes = std::move(*nodes);
    return plan;
}

/// Of a policy namespace too: "//&:ns:unconfined".
bool is_confined(std::string_view label) {
    return !label.empty() && label != "unconfined" && !label.ends_with(":unconfined");
}

/// Below a confinement the kernel lets a process with no_new_privs only add to it: stacking, which
/// never leaves the confinement. Source: apparmor(7), aa_stack_profile(2).
void plan_apparmor(const Inputs& inputs, const std::string& profile, LaunchPlan& plan,
                   ProcessPlan& process) {
    const host::SecurityModules& modules = inputs.facts.security_modules;
    if (profile.empty() || (profile == "unconfined" && !modules.apparmor)) {
        return;
    }
    if (!modules.apparmor) {
        throw_error(ErrorKind::unsupported,
                    "/process/apparmorProfile: AppArmor is not enabled in this kernel, so " +
                        printable(profile) +
                        " cannot be applied: leave the profile out, or boot with "
                        "lsm=...,apparmor");
    }
    bool confined = is_confined(modules.apparmor_label);
    if (confined && profile == "unconfined") {
        plan.degradations.push_back({"/process/apparmorProfile",
                                     "the caller's profile " + printable(modules.apparmor_label) +
                                         " stays, since coracle is confined by it itself"});
        return;
    }
    process.apparmor_change = (confined ? "stack " : "exec ") + profile;
}

} // namespace

bool needs_security_modules(const spec::Config& config) {
    bool process = config.process && (!config.process->apparmor_profile.empty() ||
                                      !config.process->selinux_label.empty());
    return process || (config.linux_ && !config.linux_->mount_label.empty());
}

void require_selinux(const Inputs& inputs, const char* pointer, const std::string& label) {
    if (!inputs.facts.security_modules.selinux) {
        throw_error(ErrorKind::unsupported,
                    std::string(pointer) + ": SELinux is not enabled in this kernel, so " +
                        printable(label) +
                        " cannot be applied: leave the label out, or boot with lsm=...,selinux");
    }
}

std::optional<ResctrlPlan> make_resctrl(const Inputs& inputs) {
    if (!inputs.linux_.intel_rdt) {
        return std::nullopt;
    }
    const spec::IntelRdt& config = *inputs.linux_.intel_rdt;
    if (inputs.facts.resctrl.empty()) {
        throw_error(ErrorKind::unsupported,
                    "/linux/intelRdt: resctrl is not mounted: leave the member out, or, on a CPU "
                    "that has RDT, mount -t resctrl resctrl /sys/fs/resctrl");
    }
    ResctrlPlan plan;
    plan.mount_point = inputs.facts.resctrl;
    plan.owned = config.clos_id.empty();
    plan.group = plan.owned ? inputs.options.id : config.clos_id == "/" ? "" : config.clos_id;
    for (const std::string& schema : {config.l3_cache_schema, config.mem_bw_schema}) {
        if (!schema.empty()) {
            plan.own_schemas.push_back(schema);
        }
    }
    if (plan.group.empty()) { // the root group is there: what is asked of it is written
        std::swap(plan.schemata, plan.own_schemas);
    }
    plan.schemata.insert(plan.schemata.end(), config.schemata.begin(), config.schemata.end());
    plan.monitor_group = config.enable_monitoring ? inputs.options.id : "";
    return plan;
}

void plan_attributes(const Inputs& inputs, const spec::Process& config, LaunchPlan& plan,
                     ProcessPlan& process) {
    if (config.scheduler) {
        process.scheduler = make_scheduler(*config.scheduler);
    }
    if (config.io_priority) {
        process.io_priority = make_io_priority(*config.io_priority);
    }
    if (inputs.linux_.personality) {
        process.personality =
            value_of_word(spec::personality_domains(), inputs.linux_.personality->domain,
                          "/linux/personality/domain");
    }
    if (inputs.linux_.memory_policy) {
        process.memory_policy = make_memory_policy(*inputs.linux_.memory_policy);
    }
    plan_apparmor(inputs, config.apparmor_profile, plan, process);
    if (!config.selinux_label.empty()) {
        require_selinux(inputs, "/process/selinuxLabel", config.selinux_label);
        process.selinux_label = config.selinux_label;
    }
}

} // namespace coracle::plan
