#pragma once

#include "coracle/host/facts.h"

namespace coracle::host {

/// Where cgroup2 is mounted, and whether it has the controllers: only mount_point, unified and
/// problem are set. Throws: system. Source: cgroups(7).
[[nodiscard]] CgroupFacts find_cgroup2();

/// All of it. `facts` has the ids and the user namespace of the caller.
/// Runs in: parent, before any clone. Throws: system.
[[nodiscard]] CgroupFacts detect_cgroup(int proc_fd, const Facts& facts);

} // namespace coracle::host
