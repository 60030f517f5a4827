#pragma once

#include "coracle/plan/cgroup_plan.h"
#include "coracle/spec/config.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

/// The parts of the decision about the cgroup. All pure.
namespace coracle::plan {

/// cpu.weight for cgroup v1's cpu.shares; 0: not set.
[[nodiscard]] std::uint64_t cpu_weight_of_shares(std::uint64_t shares);

/// io.weight, 1 to 10000, for a weight of 10 to 1000.
[[nodiscard]] std::uint64_t io_weight(std::uint32_t weight);

/// "8:0"
[[nodiscard]] std::string device_number(std::int64_t major, std::int64_t minor);

/// Microseconds of CPU time in a second as systemd rounds them: up, to 10 ms.
/// Source: systemd.resource-control(5), CPUQuota=.
[[nodiscard]] std::uint64_t quota_of_systemd(std::uint64_t quota, std::uint64_t period);

/// The values for the files of the cgroup, in the order of writing.
[[nodiscard]] std::vector<CgroupWrite> make_cgroup_writes(const spec::Resources& resources,
                                                          CgroupMethod method);
/// Those that the files belong to.
[[nodiscard]] std::vector<std::string> controllers_of(const std::vector<CgroupWrite>& writes);

/// The same limits as properties of a unit, as far as systemd has one from version 247 on: it
/// keeps them when it writes the files again.
[[nodiscard]] std::vector<UnitProperty> make_unit_limits(const spec::Resources& resources);
/// The properties of annotations "org.systemd.property.NAME".
/// Throws: denied for one that is not on the list of those that only limit or account, and for one
/// that `limits` sets already; invalid_config for a value of the wrong type.
[[nodiscard]] std::vector<UnitProperty>
make_unit_properties(const std::map<std::string, std::string>& annotations,
                     const std::vector<UnitProperty>& limits);

/// The names in a cgroupsPath "slice:prefix:name".
struct ScopeName {
    std::string slice; ///< empty: the default
    std::string unit;
};
/// `path` is empty for the default name. Throws: invalid_config.
[[nodiscard]] ScopeName make_scope_name(const std::string& path, const std::string& id);

/// The rules of the config and, behind them, those that every container needs.
/// Source: runtime-spec config-linux.md#default-devices.
[[nodiscard]] std::vector<DeviceRule>
make_device_rules(const std::vector<spec::DeviceCgroupRule>& rules);

} // namespace coracle::plan
