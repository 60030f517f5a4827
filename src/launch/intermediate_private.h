#pragma once

#include "channel_private.h"
#include "coracle/plan/launch_plan.h"
#include "coracle/sys/fd.h"

#include <cstdint>
#include <vector>

namespace coracle::launch {

/// setns(2) wants CAP_SYS_ADMIN over the namespace and over the caller's user namespace, so the
/// order follows the owners.
enum class JoinTurn : std::uint8_t {
    before_user_namespace, ///< owned by a user namespace where the caller has its privilege
    user_namespace,
    after_user_namespace, ///< owned by the joined user namespace, or one below it
    last,                 ///< mount: it changes what every path means
};

/// A namespace to join, opened by the parent.
struct OpenNamespace {
    NamespaceKind kind{};
    sys::Fd fd;
    JoinTurn turn{};
};

/// What the intermediate is given; it borrows all from the parent's memory.
struct IntermediateTask {
    const plan::LaunchPlan& plan;
    const std::vector<OpenNamespace>& joined;
    int proc_fd;
    int private_copy;
};

/// The whole life of the intermediate process.
/// Runs in: intermediate. Ends by _exit: 0 when init has been started, 1 after Failed was sent.
[[noreturn]] void run_intermediate(const IntermediateTask& task, ChildEnd& channel) noexcept;

} // namespace coracle::launch
