#pragma once

#include "coracle/plan/launch_plan.h"

#include <chrono>
#include <string>
#include <vector>

namespace coracle::launch {

/// Where hooks write and work; borrowed fds.
struct HookSurroundings {
    int output = -1;    ///< -1: kept, and its last line told with an error
    int errors = -1;    ///< likewise
    int directory = -1; ///< -1: that of this process
};

/// Runs the hooks in their order, each with `state` on its stdin; the next one only after the
/// success of the one before. What a hook has besides is that of this process: ids, capabilities,
/// namespaces, limits, umask.
/// Runs in: parent; init. Throws: system, naming the hook.
void run_hooks(const std::vector<plan::Hook>& hooks, const HookSurroundings& surroundings,
               const std::string& state);

/// How long another process may take that runs these hooks among other things; weeks if one of them
/// has no timeout.
[[nodiscard]] std::chrono::milliseconds patience_with(const std::vector<plan::Hook>& hooks,
                                                      std::chrono::milliseconds otherwise);

} // namespace coracle::launch
