#pragma once

#include "coracle/cgroup/directory.h"
#include "coracle/spec/stats.h"
#include "coracle/sys/fd.h"

#include <sys/types.h>

namespace coracle::container {

/// What the controllers of the cgroup have counted, and the network devices of `init` if those are
/// not the caller's. Throws: system.
[[nodiscard]] spec::Stats read_stats(const cgroup::Directory& cgroup, int proc_fd, pid_t init);

} // namespace coracle::container
