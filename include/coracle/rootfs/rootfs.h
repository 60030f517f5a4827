#pragma once

#include "coracle/plan/launch_plan.h"
#include "coracle/sys/fd.h"

#include <functional>
#include <vector>

/// Carries out a RootfsPlan. Everything here runs in init, in its own mount namespace, and touches
/// the root file system only by fds resolved below its root: its owner is an attacker.
namespace coracle::rootfs {

/// Where the mounts depend on what init shares with the parent.
struct Callbacks {
    /// The next tree that the parent has opened, for RootfsPlan::sources_given: of the root first,
    /// then of each bind in the plan's order. Empty: to be opened here.
    std::function<sys::Fd()> next_source;
    /// Called before each mount that shows the cgroup namespace, which this process has then.
    std::function<void()> enter_cgroup_namespace;
};

struct Assembled {
    sys::Fd root;                        ///< the new root, an attached mount
    std::vector<sys::Fd> read_only_last; ///< mounts that `finish` makes read-only
};

/// Mounts the root on itself and everything of the plan into it: mounts in their order, devices,
/// links, masked and read-only paths. Each step that had to take its fallback is added to
/// `degraded`.
/// Runs in: init before pivot. Throws: system, denied, unsupported; the text names the step.
/// Source: runtime-spec config.md#mounts, config-linux.md; mount_namespaces(7).
[[nodiscard]] Assembled assemble(const plan::RootfsPlan& plan, const Callbacks& callbacks,
                                 std::vector<plan::Degradation>& degraded);

/// Puts the terminal's peer on /dev/console. Runs in: init before pivot. Throws: system, denied.
void bind_console(int root_fd, int peer);

/// Makes read-only what the plan says to, the root last: nothing can be put there any more.
/// Runs in: init before pivot. Throws: system.
void finish(const plan::RootfsPlan& plan, const Assembled& assembled);

/// Makes `root_fd` this mount namespace's root, by pivot_root or as the plan says, and sets the
/// root's propagation. Runs in: init. Throws: system.
void enter(const plan::RootfsPlan& plan, int root_fd);

/// Why a new procfs was answered with EPERM: the first mount that hides a part of the one in sight,
/// or the lack of a pid namespace. Runs in: init before pivot and the child of a
/// trial, on the failure path only.
/// Source: mount_too_revealing() in Linux fs/namespace.c; mount_namespaces(7).
[[nodiscard]] std::string explain_refused_proc();

} // namespace coracle::rootfs
