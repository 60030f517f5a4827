#include "coracle/base/error.h"
#include "coracle/base/number_list.h"
#include "coracle/base/text.h"
#include "coracle/plan/make_launch_plan.h"
#include "coracle/plan/seccomp.h"
#include "plan_private.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace coracle::plan {

namespace {

std::vector<IdMapping> make_map(const std::vector<host::IdMapLine>& lines) {
    std::vector<IdMapping> map;
    map.reserve(lines.size());
    for (const host::IdMapLine& line : lines) {
        map.push_back({ContainerId{line.inside}, HostId{line.outside}, line.count});
    }
    return map;
}

/// What make_process reads of the plan of the container, as it is now.
LaunchPlan make_container_plan(const host::ContainerFacts& container) {
    LaunchPlan plan;
    const std::vector<NamespaceKind>& kinds = container.foreign_namespaces;
    bool joins = std::find(kinds.begin(), kinds.end(), NamespaceKind::user) != kinds.end();
    plan.user_namespace = joins ? UserNamespace::joined : UserNamespace::current;
    plan.id_map.uids = make_map(container.uid_map);
    plan.id_map.gids = make_map(container.gid_map);
    return plan;
}

std::vector<std::uint64_t> make_cpus(const std::string& list, const char* pointer) {
    std::optional<std::vector<std::uint64_t>> cpus = parse_number_list(list, UINT16_MAX);
    if (!cpus) {
        throw_error(ErrorKind::invalid_config, std::string(pointer) + ": " + printable(list) +
                                                   " is not a list of CPUs such as \"0-3,7\"");
    }
    return *cpus;
}

} // namespace

ExecLaunchPlan make_exec_plan(const spec::Config& config, const host::Facts& facts,
                              const host::ContainerFacts& container, const ExecOptions& options) {
    static const spec::Linux no_linux;
    LaunchOptions launch_options;
    launch_options.preserve_fds = options.preserve_fds;
    Inputs inputs{config, config.linux_ ? *config.linux_ : no_linux, facts, launch_options};

    LaunchPlan of_container = make_container_plan(container);
    ExecLaunchPlan plan;
    plan.namespaces = container.foreign_namespaces;
    plan.exec.id = options.id;
    plan.exec.join_session_keyring = options.join_session_keyring;
    plan.exec.joins_user_namespace = of_container.user_namespace == UserNamespace::joined;
    bool privileged = facts.privileged && facts.initial_user_namespace;
    if (plan.exec.joins_user_namespace && !privileged &&
        host_root_of(of_container, facts) != facts.euid) {
        plan.placed = ExecPlaced::joiner;
    }
    plan.exec.process = make_process(inputs, of_container);
    if (std::exchange(plan.exec.process.own_core_cookie, false)) {
        plan.exec.core_cookie_of = options.init;
    }
    if (config.process && config.process->exec_cpu_affinity) {
        const spec::ExecCpuAffinity& affinity = *config.process->exec_cpu_affinity;
        plan.exec.initial_cpus = make_cpus(affinity.initial, "/process/execCPUAffinity/initial");
        plan.exec.final_cpus = make_cpus(affinity.final_, "/process/execCPUAffinity/final");
    }
    if (inputs.linux_.seccomp) {
        plan.seccomp = make_seccomp_plan(inputs.config);
        plan.exec.process.has_filter = true;
        plan.exec.process.filter_flags = plan.seccomp->filter_flags;
    }
    plan.degradations = std::move(of_container.degradations);
    plan.strict = options.strict;
    if (plan.strict && !plan.degradations.empty()) {
        const Degradation& first = plan.degradations.front();
        throw_error(ErrorKind::unsupported, first.what + ": " + first.why + " (--strict)");
    }
    return plan;
}

} // namespace coracle::plan
