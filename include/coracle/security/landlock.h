#pragma once

#include "coracle/plan/launch_plan.h"
#include "coracle/sys/fd.h"

namespace coracle::security {

/// The ruleset of the plan, for landlock_restrict_self(2). Paths are resolved below `root_fd`, the
/// container's root, and no component may be a symbolic link: a program of the container that may
/// write to the directory would make one, and choose by that what the next `exec` may do.
/// Runs in: init after pivot; executor; before the ids change. Throws: system, naming the path.
/// Source: landlock(7).
[[nodiscard]] sys::Fd make_landlock_ruleset(const plan::LandlockPlan& plan, int root_fd);

} // namespace coracle::security
