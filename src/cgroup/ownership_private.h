#pragma once

#include "coracle/cgroup/directory.h"

#include <cstdint>

namespace coracle::cgroup {

/// The cgroup and those of its files that the kernel names for delegation belong to `uid` of the
/// host. Throws: system. Source: cgroups(7), /sys/kernel/cgroup/delegate; runtime-spec
/// config-linux.md#cgroup-ownership.
void give_delegated_files(const Directory& cgroup, std::uint32_t uid);

} // namespace coracle::cgroup
