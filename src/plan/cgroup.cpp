#include "cgroup_private.h"
#include "plan_private.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/spec/annotations.h"

#include <algorithm>

namespace coracle::plan {

namespace {

/// Where the config leaves the choice: by the form of cgroupsPath, else the first that works.
CgroupManager choose_manager(const Inputs& inputs) {
    if (inputs.options.cgroup_manager != CgroupManager::automatic) {
        return inputs.options.cgroup_manager;
    }
    const std::string& path = inputs.linux_.cgroups_path;
    if (!path.empty()) {
        return std::count(path.begin(), path.end(), ':') == 2 ? CgroupManager::systemd
                                                              : CgroupManager::cgroupfs;
    }
    return inputs.facts.cgroup.bus != host::SystemdBus::none ? CgroupManager::systemd
                                                             : CgroupManager::cgroupfs;
}

void degrade(LaunchPlan& plan, const std::string& what, const std::string& why) {
    plan.degradations.push_back({what, why});
}

/// "No limit" of a controller that may be absent: nothing is lost without a cgroup.
bool is_no_limit(const CgroupWrite& write) {
    return write.missing == CgroupWrite::Missing::ignored;
}

/// Without limits the container runs in the caller's cgroup.
void do_without(const Inputs& inputs, const std::string& why, LaunchPlan& plan) {
    CgroupPlan& cgroup = plan.cgroup;
    std::erase_if(cgroup.writes, is_no_limit);
    if (!cgroup.writes.empty() && !cgroup.lenient) {
        throw_error(ErrorKind::unsupported,
                    cgroup.writes.front().member + ": a limit needs a cgroup: " + why);
    }
    for (const CgroupWrite& write : cgroup.writes) {
        degrade(plan, write.member, "no such limit without a cgroup: " + why);
    }
    if (!inputs.linux_.cgroups_path.empty()) {
        degrade(plan, "/linux/cgroupsPath", "the container stays in the caller's cgroup: " + why);
    }
    cgroup.method = CgroupMethod::none;
    cgroup.reason = why;
    cgroup.writes.clear();
}

std::string parent_of(const std::string& path) {
    std::size_t slash = path.rfind('/');
    return slash == std::string::npos || slash == 0 ? "" : path.substr(0, slash);
}

/// The path below the mount point; empty: there is no place for one.
std::string cgroupfs_path(const Inputs& inputs, const std::string& name) {
    const host::CgroupFacts& facts = inputs.facts.cgroup;
    if (name.starts_with('/')) {
        return clean_absolute(name);
    }
    if (!name.empty()) { // beside the caller's own, which has processes and so no children
        return clean_absolute(parent_of(facts.own) + "/" + name);
    }
    return facts.home.empty() ? "" : clean_absolute(facts.home + "/" + inputs.options.id);
}

void plan_cgroupfs(const Inputs& inputs, const std::string& name, LaunchPlan& plan) {
    const host::CgroupFacts& facts = inputs.facts.cgroup;
    if (facts.mount_point.empty()) {
        do_without(inputs, facts.problem, plan);
        return;
    }
    std::string path = cgroupfs_path(inputs, name);
    if (path.empty()) {
        std::string why = "the cgroup " + printable(facts.own) + " is not the caller's to divide";
        do_without(inputs, facts.bus_problem.empty() ? why : why + ", and " + facts.bus_problem,
                   plan);
        return;
    }
    if (path == "/") {
        throw_error(ErrorKind::denied, "/linux/cgroupsPath: \"" + printable(name) +
                                           "\" is the root of all cgroups; name one below it");
    }
    plan.cgroup.method = CgroupMethod::cgroupfs;
    plan.cgroup.mount_point = facts.mount_point;
    plan.cgroup.path = path;
}

std::vector<UnitProperty> make_properties(const Inputs& inputs, const spec::Resources& resources) {
    std::vector<UnitProperty> limits = make_unit_limits(resources);
    std::vector<UnitProperty> properties = make_unit_properties(inputs.config.annotations, limits);
    properties.insert(properties.end(), limits.begin(), limits.end());
    return properties;
}

void plan_scope(const Inputs& inputs, const ScopeName& name, const spec::Resources& resources,
                LaunchPlan& plan) {
    const host::CgroupFacts& facts = inputs.facts.cgroup;
    ScopePlan& scope = plan.cgroup.scope;
    bool system = facts.bus == host::SystemdBus::system;
    scope.bus = system ? BusKind::system : BusKind::user;
    scope.bus_path = facts.bus_path;
    scope.name = name.unit;
    scope.slice = !name.slice.empty() ? name.slice : system ? "system.slice" : "user.slice";
    scope.description = "coracle container " + inputs.options.id;
    scope.properties = make_properties(inputs, resources);
    auto group = resources.unified.find("memory.oom.group");
    scope.oom_policy =
        group != resources.unified.end() && group->second == "1" ? "kill" : "continue";
    plan.cgroup.method = CgroupMethod::systemd;
    plan.cgroup.mount_point = facts.mount_point;
    bool moved_by_user = !system && plan.id_map.method != IdMapMethod::none;
    if (moved_by_user && host_root_of(plan, inputs.facts) != inputs.facts.euid) {
        plan.cgroup.scope_start = ScopeStart::with_intermediate;
    }
}

void plan_systemd(const Inputs& inputs, const spec::Resources& resources, LaunchPlan& plan) {
    ScopeName name = make_scope_name(inputs.linux_.cgroups_path, inputs.options.id);
    const host::CgroupFacts& facts = inputs.facts.cgroup;
    if (facts.mount_point.empty() || !facts.unified) {
        do_without(inputs, facts.problem, plan);
        return;
    }
    if (facts.bus != host::SystemdBus::none) {
        plan_scope(inputs, name, resources, plan);
        return;
    }
    if (facts.home.empty()) {
        do_without(inputs, facts.bus_problem, plan);
        return;
    }
    degrade(plan, "--systemd-cgroup",
            "the cgroup is a directory and not a scope of systemd: " + facts.bus_problem);
    plan_cgroupfs(inputs, facts.home + "/" + name.unit, plan);
}

std::string sub_cgroup_of(const Inputs& inputs, std::string_view annotation) {
    auto found = inputs.config.annotations.find(std::string(annotation));
    if (found == inputs.config.annotations.end() || found->second.empty()) {
        return {};
    }
    if (!is_path_component(found->second)) {
        throw_error(ErrorKind::invalid_config, "/annotations/" + found->first + ": \"" +
                                                   printable(found->second) +
                                                   "\" is not the name of a cgroup");
    }
    return found->second;
}

void plan_sub_cgroup(const Inputs& inputs, LaunchPlan& plan) {
    for (std::string_view name :
         {spec::cgroup_subgroup_annotation, spec::delegate_cgroup_annotation}) {
        std::string part = sub_cgroup_of(inputs, name);
        if (part.empty()) {
            continue;
        }
        if (plan.cgroup.method == CgroupMethod::none) {
            degrade(plan, "/annotations/" + std::string(name),
                    "no cgroup below the container's own: " + plan.cgroup.reason);
            continue;
        }
        plan.cgroup.sub_cgroup += (plan.cgroup.sub_cgroup.empty() ? "" : "/") + part;
    }
}

/// Whether the container sees its cgroups writable: only then are they its root's.
/// Source: runtime-spec config-linux.md#cgroup-ownership.
bool mounts_cgroup_writable(const Inputs& inputs) {
    return std::any_of(
        inputs.config.mounts.begin(), inputs.config.mounts.end(), [](const spec::Mount& mount) {
            bool read_only =
                std::find(mount.options.begin(), mount.options.end(), "ro") != mount.options.end();
            return (mount.type == "cgroup" || mount.type == "cgroup2") && !read_only;
        });
}

void plan_owner(const Inputs& inputs, LaunchPlan& plan) {
    bool may_give = inputs.facts.privileged && inputs.facts.initial_user_namespace;
    bool delegated = plan.cgroup.sub_cgroup.empty() ? mounts_cgroup_writable(inputs) : true;
    if (may_give && delegated && plan.user_namespace == UserNamespace::made &&
        has_new(plan.namespaces, NamespaceKind::cgroup)) {
        plan.cgroup.owner = host_root_of(plan, inputs.facts);
    }
}

/// An eBPF program on a cgroup takes the rights of the host's root.
void plan_devices(const Inputs& inputs, const spec::Resources& resources, LaunchPlan& plan) {
    bool may_filter = inputs.facts.privileged && inputs.facts.initial_user_namespace;
    if (may_filter && plan.cgroup.method != CgroupMethod::none) {
        std::vector<DeviceRule> rules = make_device_rules(resources.devices);
        if (rules.size() > 1) {
            plan.cgroup.devices = std::move(rules);
        }
        return;
    }
    if (!resources.devices.empty()) {
        degrade(plan, "/linux/resources/devices",
                std::string("no device rules without ") +
                    (may_filter ? "a cgroup" : "the rights of the host's root") +
                    ": a device node that is present is usable as its mode says");
    }
}

/// Cgroup v2 has nothing for it: an error, since the container would not be what was asked for.
void require_v2(const spec::Resources& resources) {
    auto refuse_if = [](bool present, const char* member) {
        if (present) {
            throw_error(ErrorKind::unsupported, std::string("/linux/resources/") + member +
                                                    ": cgroup v2 has no such limit; remove it");
        }
    };
    if (resources.memory) {
        const spec::MemoryResources& memory = *resources.memory;
        refuse_if(memory.swappiness.has_value(), "memory/swappiness");
        refuse_if(memory.disable_oom_killer, "memory/disableOOMKiller");
        refuse_if(memory.kernel_tcp.value_or(0) > 0, "memory/kernelTCP");
    }
    if (resources.cpu) {
        refuse_if(resources.cpu->realtime_runtime.value_or(0) > 0, "cpu/realtimeRuntime");
        refuse_if(resources.cpu->realtime_period.value_or(0) != 0, "cpu/realtimePeriod");
    }
    if (resources.block_io) {
        refuse_if(resources.block_io->leaf_weight.value_or(0) != 0, "blockIO/leafWeight");
        bool leaf = std::any_of(
            resources.block_io->weight_devices.begin(), resources.block_io->weight_devices.end(),
            [](const spec::WeightDevice& device) { return device.leaf_weight.value_or(0) != 0; });
        refuse_if(leaf, "blockIO/weightDevice");
    }
    refuse_if(resources.network, "network");
}

} // namespace

std::uint32_t host_root_of(const LaunchPlan& plan, const host::Facts& facts) {
    for (const IdMapping& map : plan.id_map.uids) {
        if (static_cast<std::uint32_t>(map.container) == 0) {
            return static_cast<std::uint32_t>(map.host);
        }
    }
    return facts.euid;
}

/// Until version 1.3 of the specification 0 processes were a limit that nobody set; podman says so
/// of a container without a limit.
/// Source: runtime-spec config-linux.md#pids, ChangeLog 1.3.0.
spec::Resources resources_of(const Inputs& inputs) {
    spec::Resources resources = inputs.linux_.resources.value_or(spec::Resources{});
    const std::string& version = inputs.config.oci_version;
    bool is_older =
        version.starts_with("1.0.") || version.starts_with("1.1.") || version.starts_with("1.2.");
    if (is_older && resources.pids_limit == 0) {
        resources.pids_limit = -1;
    }
    return resources;
}

void plan_cgroup(const Inputs& inputs, LaunchPlan& plan) {
    const spec::Resources resources = resources_of(inputs);
    require_v2(resources);
    if (resources.memory && resources.memory->kernel.value_or(0) > 0) {
        degrade(plan, "/linux/resources/memory/kernel",
                "cgroup v2 has no limit of kernel memory alone: it counts in memory/limit");
    }
    CgroupPlan& cgroup = plan.cgroup;
    CgroupManager manager = choose_manager(inputs);
    cgroup.writes =
        make_cgroup_writes(resources, manager == CgroupManager::systemd ? CgroupMethod::systemd
                                                                        : CgroupMethod::cgroupfs);
    cgroup.lenient = inputs.options.lenient_cgroup;
    cgroup.optional = std::ranges::all_of(cgroup.writes, is_no_limit) || cgroup.lenient;
    switch (manager) {
    case CgroupManager::disabled:
        do_without(inputs, "--cgroup-manager=disabled", plan);
        break;
    case CgroupManager::systemd:
        plan_systemd(inputs, resources, plan);
        break;
    case CgroupManager::cgroupfs:
    case CgroupManager::automatic:
        plan_cgroupfs(inputs, inputs.linux_.cgroups_path, plan);
        break;
    }
    cgroup.controllers = controllers_of(cgroup.writes);
    for (const char* counted : {"cpu", "io", "memory", "pids"}) { // what `events` shows
        if (std::find(cgroup.controllers.begin(), cgroup.controllers.end(), counted) ==
            cgroup.controllers.end()) {
            cgroup.controllers.emplace_back(counted);
        }
    }
    plan_devices(inputs, resources, plan);
    plan_sub_cgroup(inputs, plan);
    plan_owner(inputs, plan);
}

CgroupUpdate make_cgroup_update(const spec::Resources& resources, CgroupMethod method) {
    require_v2(resources);
    return {make_cgroup_writes(resources, method), method == CgroupMethod::systemd
                                                       ? make_unit_limits(resources)
                                                       : std::vector<UnitProperty>()};
}

} // namespace coracle::plan
