#pragma once

#include "coracle/plan/launch_plan.h"
#include "coracle/sys/fd.h"

#include <sys/types.h>
#include <vector>

namespace coracle::launch {

/// A detached clone of each of the plan's mount sources, in their order, id-mapped as it says. Each
/// path is resolved once, with the caller's privilege, in the mount namespace of `init`, which
/// waits meanwhile: what that namespace has locked stays locked. None if the kernel has no detached
/// mounts: init opens them by itself then.
/// Runs in: parent. Throws: system, naming the mount; unsupported if a mount cannot be id-mapped.
/// Source: open_tree(2), mount_setattr(2), setns(2).
[[nodiscard]] std::vector<sys::Fd> open_mount_sources(const plan::LaunchPlan& plan, int proc_fd,
                                                      pid_t init);

/// Keeps a user namespace alive until it is killed, or its parent has died.
/// Runs in: a child of the parent, cloned into that namespace.
[[noreturn]] void run_user_namespace_holder() noexcept;

} // namespace coracle::launch
