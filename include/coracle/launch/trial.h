#pragma once

#include "coracle/plan/launch_plan.h"

#include <string>
#include <vector>

namespace coracle::launch {

/// A step of a plan that the kernel has refused.
struct RefusedStep {
    std::string step; ///< "namespaces", "id map", or a mount's name: "mounts[2]"
    int errnum = 0;   ///< 0: not the kernel, but a helper
    std::string text; ///< in one line, for a person
};

/// Takes those steps of a plan that change nothing outside of the process that takes them, in a
/// child that ends with them: the new namespaces, their id maps (by the helpers, too) and each new
/// filesystem, which is attached nowhere. Overlays are left out, since they write into their work
/// directory; with a joined namespace, whatever needs it is left out. What comes after a refused
/// step that it needs is not tried. Empty: nothing was refused.
/// Runs in: parent, with one thread. Throws: system, if there can be no child.
/// Source: clone(2), unshare(2), user_namespaces(7), fsmount(2).
[[nodiscard]] std::vector<RefusedStep> try_steps(const plan::LaunchPlan& plan, int proc_fd);

} // namespace coracle::launch
