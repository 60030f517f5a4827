#pragma once

#include "coracle/cgroup/directory.h"
#include "coracle/plan/launch_plan.h"

#include <string>
#include <vector>

namespace coracle::cgroup {

/// How limits are written.
struct LimitRules {
    bool lenient = false;       ///< what is refused for want of rights is a degradation
    std::string delegated_from; ///< for messages: who has to give the controllers
};

/// Who has to give the controllers that a cgroup lacks, for `delegated_from`. Pure.
[[nodiscard]] std::string explain_delegation(const std::string& mount_point, plan::BusKind bus);

/// The files of the cgroup have these values. Returns what the container has to do without.
/// Throws: system or unsupported, naming the member of the config, the file, the controller and
/// who has to delegate it; invalid_config for a value that the kernel does not take; wrong_state
/// for a limit that must be above what is used.
/// Runs in: parent.
[[nodiscard]] std::vector<plan::Degradation>
write_limits(const Directory& cgroup, const std::vector<plan::CgroupWrite>& writes,
             const LimitRules& rules);

/// cgroup.subtree_control of every cgroup from the root down to the parent of `path` has those of
/// `controllers` that are there, as far as the caller may: what is missing in the end,
/// write_limits names. Never throws for a controller.
void enable_controllers(const std::string& mount_point, const std::string& path,
                        const std::vector<std::string>& controllers);

} // namespace coracle::cgroup
