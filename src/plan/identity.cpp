#include "plan_private.h"

#include "coracle/base/error.h"

namespace coracle::plan {

namespace {

std::vector<IdMapping> convert(const std::vector<spec::IdMapping>& mappings) {
    std::vector<IdMapping> map;
    map.reserve(mappings.size());
    for (const spec::IdMapping& mapping : mappings) {
        map.push_back({ContainerId{mapping.container_id}, HostId{mapping.host_id}, mapping.size});
    }
    return map;
}

/// Without privilege the kernel takes one line of one id: the caller's own. Source:
/// user_namespaces(7), "Defining user and group ID mappings".
void require_own_id(const std::vector<IdMapping>& map, std::uint32_t own, const char* pointer) {
    if (map.size() == 1 && map[0].size == 1 && value_of(map[0].host) == own) {
        return;
    }
    throw_error(ErrorKind::unsupported,
                std::string(pointer) + ": only your own id " + std::to_string(own) +
                    " can be mapped, with size 1: ranges of /etc/subuid by newuidmap are not "
                    "supported yet");
}

} // namespace

bool is_mapped(const std::vector<IdMapping>& map, std::uint32_t container_id) {
    for (const IdMapping& mapping : map) {
        std::uint32_t first = value_of(mapping.container);
        if (container_id >= first && container_id - first < mapping.size) {
            return true;
        }
    }
    return map.empty();
}

IdMapPlan make_id_map(const Inputs& inputs) {
    IdMapPlan plan;
    plan.uids = convert(inputs.linux_.uid_mappings);
    plan.gids = convert(inputs.linux_.gid_mappings);
    if (plan.uids.empty()) {
        return plan;
    }
    if (inputs.facts.privileged) {
        plan.method = IdMapMethod::write_map;
        return plan;
    }
    require_own_id(plan.uids, inputs.facts.euid, "/linux/uidMappings");
    require_own_id(plan.gids, inputs.facts.egid, "/linux/gidMappings");
    plan.method = IdMapMethod::write_own_ids;
    return plan;
}

} // namespace coracle::plan
