#pragma once

#include "coracle/host/facts.h"

namespace coracle::host {

/// Asks the kernel for its Landlock. Runs in: parent. Never throws.
/// Source: landlock_create_ruleset(2), LANDLOCK_CREATE_RULESET_VERSION.
[[nodiscard]] LandlockFacts detect_landlock();

} // namespace coracle::host
