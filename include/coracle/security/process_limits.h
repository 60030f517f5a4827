#pragma once

#include "coracle/plan/launch_plan.h"

#include <vector>

namespace coracle::security {

/// Sets the limits of the calling process. Runs in: init before pivot.
/// Throws: system, naming the limit, its values and, for EPERM, the cure. Source: prlimit(2).
void apply_rlimits(const std::vector<plan::RlimitPlan>& rlimits);

} // namespace coracle::security
