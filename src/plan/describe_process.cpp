#include "coracle/base/names.h"
#include "coracle/base/number_list.h"
#include "coracle/base/text.h"
#include "coracle/spec/process_names.h"
#include "describe_private.h"

#include <fmt/format.h>

namespace coracle::plan {

namespace {

std::string name_capabilities(std::uint64_t mask) {
    std::string text;
    for (int number = 0; number < 64; ++number) {
        if ((mask >> static_cast<unsigned>(number) & 1U) == 0) {
            continue;
        }
        text += text.empty() ? "" : ",";
        text += number < capability_count() ? std::string(capability_name(number))
                                            : std::to_string(number);
    }
    return text.empty() ? "none" : text;
}

void describe_capability_sets(const std::optional<CapabilityPlan>& sets, std::string& out) {
    CapabilityPlan plan = sets.value_or(CapabilityPlan{});
    out += fmt::format("capabilities:\n  bounding: {}\n  effective: {}\n  inheritable: {}\n"
                       "  permitted: {}\n  ambient: {}\n",
                       name_capabilities(plan.bounding), name_capabilities(plan.effective),
                       name_capabilities(plan.inheritable), name_capabilities(plan.permitted),
                       name_capabilities(plan.ambient));
}

std::string name_limit(std::uint64_t value) {
    return value == UINT64_MAX ? "unlimited" : std::to_string(value);
}

std::string describe_groups(const ProcessPlan& process) {
    if (process.groups_method == GroupsMethod::keep) {
        return "kept";
    }
    std::string text;
    for (std::uint32_t gid : process.groups) {
        text += fmt::format("{}{}", text.empty() ? "" : ",", gid);
    }
    return text.empty() ? "none" : text;
}

/// The words whose values are all in `flags`.
std::string name_words(spec::NameTable table, std::uint64_t flags) {
    std::string text;
    for (const spec::NamedValue& entry : table) {
        text += (flags & entry.value) != 0 ? fmt::format(" {}", entry.name) : std::string();
    }
    return text;
}

void describe_scheduler(const SchedulerPlan& plan, std::string& out) {
    out += fmt::format("  scheduler: {} nice {} priority {}{}",
                       spec::find_name(spec::scheduler_policies(), plan.policy), plan.nice,
                       plan.priority, name_words(spec::scheduler_flags(), plan.flags));
    if (plan.deadline != 0) {
        out += fmt::format(" runtime {} deadline {} period {} ns", plan.runtime, plan.deadline,
                           plan.period);
    }
    out += '\n';
}

void describe_attributes(const ProcessPlan& process, std::string& out) {
    constexpr std::uint32_t memory_modes = 0xff; // below the flags
    if (process.scheduler) {
        describe_scheduler(*process.scheduler, out);
    }
    if (process.io_priority) {
        out +=
            fmt::format("  I/O priority: {} {}\n",
                        spec::find_name(spec::io_priority_classes(), process.io_priority->io_class),
                        process.io_priority->level);
    }
    if (process.personality) {
        out += fmt::format("  personality: {}\n",
                           spec::find_name(spec::personality_domains(), *process.personality));
    }
    if (process.memory_policy) {
        const MemoryPolicyPlan& policy = *process.memory_policy;
        std::string nodes = write_number_list(policy.nodes);
        out += fmt::format("  memory policy: {}{} nodes {}\n",
                           spec::find_name(spec::memory_policy_modes(), policy.mode & memory_modes),
                           name_words(spec::memory_policy_flags(), policy.mode),
                           nodes.empty() ? "none" : nodes);
    }
    if (!process.apparmor_change.empty()) {
        out += fmt::format("  AppArmor: {}\n", printable(process.apparmor_change));
    }
    if (!process.selinux_label.empty()) {
        out += fmt::format("  SELinux: {}\n", printable(process.selinux_label));
    }
}

const char* describe_access(const LandlockPlan& landlock, std::uint64_t rights) {
    constexpr std::uint64_t execute = 1; // LANDLOCK_ACCESS_FS_EXECUTE
    return rights == landlock.handled_fs ? "rw" : (rights & execute) != 0 ? "ro" : "read";
}

void describe_landlock(const LandlockPlan& landlock, std::string& out) {
    out += fmt::format("landlock: fs {:#x} net {:#x} scope {:#x}\n", landlock.handled_fs,
                       landlock.handled_net, landlock.scoped);
    for (const LandlockPath& entry : landlock.paths) {
        out += fmt::format("  {} {}\n", describe_access(landlock, entry.rights), quote(entry.path));
    }
    for (const LandlockPort& entry : landlock.ports) {
        constexpr std::uint64_t bind = 1; // LANDLOCK_ACCESS_NET_BIND_TCP
        out += fmt::format("  {} port {}\n", entry.rights == bind ? "bind" : "connect", entry.port);
    }
}

void describe_walls(const ProcessPlan& process, std::string& out) {
    if (process.own_core_cookie) {
        out += "  core scheduling: a cookie of its own\n";
    }
    if (process.parent_death_signal != 0) {
        out += fmt::format("  parent death signal: {}\n", signal_name(process.parent_death_signal));
    }
}

} // namespace

std::string quote(const std::string& text) {
    return '"' + escape_json(text) + '"';
}

void describe_process(const ProcessPlan& process, std::string& out) {
    out += "process:\n  args:";
    for (const std::string& arg : process.args) {
        out += ' ' + quote(arg);
    }
    // Names only: a value may be a secret.
    out += "\n  env:";
    for (const std::string& entry : process.env) {
        out += ' ' + printable(entry.substr(0, entry.find('=')));
    }
    out += fmt::format("{}\n  cwd: {}\n", process.set_home ? " HOME (from /etc/passwd)" : "",
                       quote(process.cwd));
    out += fmt::format("  user: {}:{} groups {} umask {:04o}\n", process.uid, process.gid,
                       describe_groups(process), process.umask);
    out += fmt::format("  terminal: {}\n  no_new_privs: {}\n", process.terminal ? "yes" : "no",
                       process.no_new_privileges ? "yes" : "no");
    for (const RlimitPlan& limit : process.rlimits) {
        out += fmt::format("  {}: soft {} hard {}\n", rlimit_name(limit.resource),
                           name_limit(limit.soft), name_limit(limit.hard));
    }
    if (process.oom_score_adj) {
        out += fmt::format("  oom_score_adj: {}\n", *process.oom_score_adj);
    }
    describe_attributes(process, out);
    describe_walls(process, out);
    if (process.preserve_fds > 0) {
        out += fmt::format("  fds passed on: 3 to {}\n", 2 + process.preserve_fds);
    }
    describe_capability_sets(process.capabilities, out);
    if (process.landlock) {
        describe_landlock(*process.landlock, out);
    }
}

} // namespace coracle::plan
