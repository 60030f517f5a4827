#include "plan_private.h"

#include "coracle/base/error.h"

namespace coracle::plan {

namespace {

using host::IdRange;
using host::IdRanges;

/// Without privilege the kernel takes one line of one id: the caller's own. Source:
/// user_namespaces(7), "Defining user and group ID mappings".
bool is_own_id(const std::vector<IdMapping>& map, std::uint32_t own) {
    return map.size() == 1 && map[0].size == 1 && value_of(map[0].host) == own;
}

bool is_own_id(const std::vector<spec::IdMapping>& map, std::uint32_t own) {
    return is_own_id(make_id_mappings(map), own);
}

/// The own id as 0, then every id of the caller's ranges in their order.
std::vector<IdMapping> make_default_map(std::uint32_t own, const std::vector<IdRange>& ranges) {
    std::vector<IdMapping> map{{ContainerId{0}, HostId{own}, 1}};
    std::uint32_t next = 1;
    for (const IdRange& range : ranges) {
        map.push_back({ContainerId{next}, HostId{range.first}, range.count});
        if (range.count > UINT32_MAX - 1 - next) {
            break; // the container's ids are used up
        }
        next += range.count;
    }
    return map;
}

std::string name_caller(const Inputs& inputs) {
    const std::string& user = inputs.facts.id_ranges.user;
    return user.empty() ? "uid " + std::to_string(inputs.facts.euid) : user;
}

std::string describe_ranges(const Inputs& inputs, const std::vector<IdRange>& ranges,
                            const char* file) {
    if (ranges.empty()) {
        return name_caller(inputs) + " has no range in " + file +
               ": let root add one, by usermod --add-subuids and --add-subgids";
    }
    std::string text = name_caller(inputs) + " may map, by " + file + ",";
    for (const IdRange& range : ranges) {
        text += " " + std::to_string(range.first) + "-" +
                std::to_string(range.first + (range.count - 1));
    }
    return text;
}

std::string describe_missing_helper(const IdRanges& ranges) {
    const char* name = ranges.newuidmap.empty() ? "newuidmap" : "newgidmap";
    return std::string(name) + " is not in " + ranges.search_path + " (Debian: package uidmap)";
}

/// What keeps the caller from more than the own ids; empty if nothing does.
std::string find_obstacle(const Inputs& inputs) {
    const IdRanges& ranges = inputs.facts.id_ranges;
    if (ranges.newuidmap.empty() || ranges.newgidmap.empty()) {
        return describe_missing_helper(ranges);
    }
    if (ranges.uids.empty()) {
        return describe_ranges(inputs, ranges.uids, "/etc/subuid");
    }
    return ranges.gids.empty() ? describe_ranges(inputs, ranges.gids, "/etc/subgid") : "";
}

void use_default_maps(const Inputs& inputs, IdMapPlan& map, LaunchPlan& plan) {
    const IdRanges& ranges = inputs.facts.id_ranges;
    std::string obstacle = find_obstacle(inputs);
    if (!obstacle.empty()) {
        plan.degradations.push_back(
            {"/linux/uidMappings", "only the caller's own ids are mapped: " + obstacle});
    }
    static const std::vector<IdRange> none;
    map.uids = make_default_map(inputs.facts.euid, obstacle.empty() ? ranges.uids : none);
    map.gids = make_default_map(inputs.facts.egid, obstacle.empty() ? ranges.gids : none);
}

void use_helpers(const Inputs& inputs, IdMapPlan& map) {
    const IdRanges& ranges = inputs.facts.id_ranges;
    if (ranges.newuidmap.empty() || ranges.newgidmap.empty()) {
        throw_error(
            ErrorKind::unsupported,
            "/linux/uidMappings: other ids than your own " + std::to_string(inputs.facts.euid) +
                ":" + std::to_string(inputs.facts.egid) +
                " are mapped by newuidmap and newgidmap, and " + describe_missing_helper(ranges) +
                ": install it, or map only your own ids, with size 1");
    }
    map.method = IdMapMethod::run_helpers;
    map.newuidmap = ranges.newuidmap;
    map.newgidmap = ranges.newgidmap;
    map.uid_ranges = describe_ranges(inputs, ranges.uids, "/etc/subuid");
    map.gid_ranges = describe_ranges(inputs, ranges.gids, "/etc/subgid");
}

} // namespace

std::vector<IdMapping> make_id_mappings(const std::vector<spec::IdMapping>& mappings) {
    std::vector<IdMapping> map;
    map.reserve(mappings.size());
    for (const spec::IdMapping& mapping : mappings) {
        map.push_back({ContainerId{mapping.container_id}, HostId{mapping.host_id}, mapping.size});
    }
    return map;
}

bool needs_id_ranges(const spec::Config& config, const host::Facts& facts) {
    if (facts.privileged || !config.linux_) {
        return false;
    }
    const spec::Linux& section = *config.linux_;
    for (const spec::Namespace& entry : section.namespaces) {
        if (entry.type == "user" && entry.path.empty()) {
            return !is_own_id(section.uid_mappings, facts.euid) ||
                   !is_own_id(section.gid_mappings, facts.egid);
        }
    }
    return false;
}

bool is_mapped(const std::vector<IdMapping>& map, std::uint32_t container_id) {
    for (const IdMapping& mapping : map) {
        std::uint32_t first = value_of(mapping.container);
        if (container_id >= first && container_id - first < mapping.size) {
            return true;
        }
    }
    return map.empty();
}

UserNamespace choose_user_namespace(const std::vector<NamespacePlan>& namespaces) {
    for (const NamespacePlan& entry : namespaces) {
        if (entry.kind == NamespaceKind::user) {
            return entry.path.empty() ? UserNamespace::made : UserNamespace::joined;
        }
    }
    return UserNamespace::current;
}

IdMapPlan make_id_map(const Inputs& inputs, LaunchPlan& plan) {
    IdMapPlan map;
    if (plan.user_namespace != UserNamespace::made) {
        // A joined one has its map. Managers give mappings beside its path, which say nothing.
        return map;
    }
    map.uids = make_id_mappings(inputs.linux_.uid_mappings);
    map.gids = make_id_mappings(inputs.linux_.gid_mappings);
    if (inputs.facts.privileged) {
        if (map.uids.empty()) {
            throw_error(ErrorKind::invalid_config,
                        "/linux/uidMappings: is empty, but a user namespace is made; add at least "
                        "one mapping");
        }
        map.method = IdMapMethod::write_map;
        return map;
    }
    if (map.uids.empty()) {
        use_default_maps(inputs, map, plan);
    }
    if (is_own_id(map.uids, inputs.facts.euid) && is_own_id(map.gids, inputs.facts.egid)) {
        map.method = IdMapMethod::write_own_ids;
    } else {
        use_helpers(inputs, map);
    }
    return map;
}

} // namespace coracle::plan
