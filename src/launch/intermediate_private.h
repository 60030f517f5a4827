#pragma once

#include "channel_private.h"
#include "coracle/plan/launch_plan.h"
#include "coracle/sys/fd.h"

#include <vector>

namespace coracle::launch {

/// A namespace to join, opened by the parent.
struct OpenNamespace {
    NamespaceKind kind{};
    sys::Fd fd;
    /// Owned by the user namespace of the caller: joined before the new one is made, since after
    /// it setns(2) is EPERM.
    bool before_user_namespace = false;
};

/// The whole life of the intermediate process; borrows everything from the parent's memory.
/// Runs in: intermediate. Ends by _exit: 0 when init has been started, 1 after Failed was sent.
[[noreturn]] void run_intermediate(const plan::LaunchPlan& plan,
                                   const std::vector<OpenNamespace>& joined, int private_copy,
                                   ChildEnd& channel) noexcept;

} // namespace coracle::launch
