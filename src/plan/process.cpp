#include "plan_private.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/spec/annotations.h"

#include <algorithm>
#include <set>

namespace coracle::plan {

namespace {

void degrade(LaunchPlan& plan, std::string what, std::string why) {
    plan.degradations.push_back({std::move(what), std::move(why)});
}

void require_mapped_ids(const spec::User& user, const IdMapPlan& map) {
    if (!is_mapped(map.uids, user.uid)) {
        throw_error(ErrorKind::invalid_config, "/process/user/uid: cannot setuid to unmapped uid " +
                                                   std::to_string(user.uid) +
                                                   " in user namespace: map it in "
                                                   "/linux/uidMappings");
    }
    if (!is_mapped(map.gids, user.gid)) {
        throw_error(ErrorKind::invalid_config, "/process/user/gid: cannot setgid to unmapped gid " +
                                                   std::to_string(user.gid) +
                                                   " in user namespace: map it in "
                                                   "/linux/gidMappings");
    }
    for (std::uint32_t gid : user.additional_gids) {
        if (!is_mapped(map.gids, gid)) {
            throw_error(ErrorKind::invalid_config, "/process/user/additionalGids: gid " +
                                                       std::to_string(gid) +
                                                       " is not mapped in /linux/gidMappings");
        }
    }
}

bool keeps_original_groups(const Inputs& inputs) {
    auto found = inputs.config.annotations.find(std::string(spec::keep_groups_annotation));
    return found != inputs.config.annotations.end() && found->second == "1";
}

/// Source: user_namespaces(7), "/proc/pid/setgroups"; newgidmap(1), which denies setgroups when it
/// maps nothing but the caller's own gid.
GroupsMethod choose_groups_method(const Inputs& inputs, const LaunchPlan& plan) {
    const IdMapPlan& map = plan.id_map;
    if (keeps_original_groups(inputs)) {
        return GroupsMethod::keep;
    }
    if (plan.user_namespace == UserNamespace::joined) {
        return GroupsMethod::set_if_allowed;
    }
    bool helper_denies = map.method == IdMapMethod::run_helpers && map.gids.size() == 1 &&
                         map.gids[0].size == 1 && value_of(map.gids[0].host) == inputs.facts.egid;
    bool denied = map.method == IdMapMethod::write_own_ids || helper_denies ||
                  !inputs.facts.setgroups_allowed;
    return denied ? GroupsMethod::keep : GroupsMethod::set;
}

void plan_groups(const Inputs& inputs, const spec::User& user, LaunchPlan& plan,
                 ProcessPlan& process) {
    process.groups_method = choose_groups_method(inputs, plan);
    if (process.groups_method != GroupsMethod::keep) {
        std::set<std::uint32_t> known;
        for (std::uint32_t gid : user.additional_gids) { // engines name a group twice
            if (known.insert(gid).second) {
                process.groups.push_back(gid);
            }
        }
        return;
    }
    if (keeps_original_groups(inputs)) {
        return;
    }
    if (!user.additional_gids.empty()) {
        throw_error(ErrorKind::unsupported,
                    "/process/user/additionalGids: cannot set any additional groups in a rootless "
                    "container whose gid map is written without privilege: remove them, or set "
                    "the annotation run.oci.keep_original_groups=1 to keep your own");
    }
    if (std::any_of(inputs.facts.groups.begin(), inputs.facts.groups.end(),
                    [&](std::uint32_t gid) { return gid != inputs.facts.egid; })) {
        degrade(plan, "/process/user/additionalGids",
                "the caller's supplementary groups stay, since setgroups is denied in a user "
                "namespace whose gid map is written without privilege");
    }
}

std::vector<RlimitPlan> make_rlimits(const std::vector<spec::Rlimit>& rlimits) {
    std::vector<RlimitPlan> plan;
    plan.reserve(rlimits.size());
    for (const spec::Rlimit& rlimit : rlimits) {
        std::optional<int> resource = find_rlimit(rlimit.type);
        if (!resource) {
            throw_error(ErrorKind::invalid_config,
                        "/process/rlimits: unknown type " + printable(rlimit.type));
        }
        plan.push_back({*resource, rlimit.soft, rlimit.hard});
    }
    return plan;
}

std::vector<std::string> make_environment(const Inputs& inputs, const spec::Process& config) {
    std::vector<std::string> env = config.env;
    if (inputs.options.listen_fds > 0) {
        env.push_back("LISTEN_FDS=" + std::to_string(inputs.options.listen_fds));
        env.emplace_back("LISTEN_PID=1");
        if (!inputs.options.listen_fd_names.empty()) {
            env.push_back("LISTEN_FDNAMES=" + inputs.options.listen_fd_names);
        }
    }
    return env;
}

bool defines(const std::vector<std::string>& env, std::string_view name) {
    return std::any_of(env.begin(), env.end(), [&](const std::string& entry) {
        return entry.size() > name.size() && entry.starts_with(name) && entry[name.size()] == '=';
    });
}

void plan_oom_score(const Inputs& inputs, const spec::Process& config, LaunchPlan& plan,
                    ProcessPlan& process) {
    if (!config.oom_score_adj) {
        return;
    }
    std::int32_t wanted = *config.oom_score_adj;
    if (wanted < inputs.facts.oom_score_adj && !inputs.facts.may_raise_limits) {
        degrade(plan, "/process/oomScoreAdj",
                "lowering it needs CAP_SYS_RESOURCE on the host, so it stays at the caller's " +
                    std::to_string(inputs.facts.oom_score_adj));
        wanted = inputs.facts.oom_score_adj;
    }
    process.oom_score_adj = wanted;
}

/// For a container without a program, which can be created and not started: init has an id that is
/// mapped and nothing else. Source: runtime-spec config.md#process, runtime.md#start.
spec::Process make_waiting_process(const Inputs& inputs, const IdMapPlan& map) {
    if (inputs.options.gate == GateKind::channel) {
        throw_error(ErrorKind::invalid_config,
                    "/process: missing; it is required to run a container");
    }
    spec::Process process;
    process.cwd = "/";
    if (!map.uids.empty() && !map.gids.empty()) {
        process.user.uid = value_of(map.uids.front().container);
        process.user.gid = value_of(map.gids.front().container);
    }
    return process;
}

} // namespace

ProcessPlan make_process(const Inputs& inputs, LaunchPlan& plan) {
    spec::Process none;
    if (!inputs.config.process) {
        none = make_waiting_process(inputs, plan.id_map);
    }
    const spec::Process& config = inputs.config.process ? *inputs.config.process : none;
    require_mapped_ids(config.user, plan.id_map);
    ProcessPlan process;
    process.terminal = config.terminal;
    if (config.console_size) {
        process.terminal_height = config.console_size->height;
        process.terminal_width = config.console_size->width;
    }
    process.args = config.args;
    process.env = make_environment(inputs, config);
    process.cwd = config.cwd;
    process.set_home = !defines(config.env, "HOME");
    process.uid = config.user.uid;
    process.gid = config.user.gid;
    plan_groups(inputs, config.user, plan, process);
    process.umask = config.user.umask.value_or(022);
    process.no_new_privileges = config.no_new_privileges;
    process.capabilities = make_capabilities(inputs, config, plan);
    process.last_capability = inputs.facts.last_capability;
    process.rlimits = make_rlimits(config.rlimits);
    plan_oom_score(inputs, config, plan, process);
    plan_attributes(inputs, config, plan, process);
    plan_walls(inputs, plan, process);
    process.ignored_signals = inputs.facts.ignored_signals;
    process.preserve_fds = inputs.options.preserve_fds + inputs.options.listen_fds;
    return process;
}

} // namespace coracle::plan
