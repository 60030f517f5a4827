#pragma once

#include "coracle/sys/mount.h"
#include "mount_tree_private.h"

/// The mount API by means of mount(2) alone, for a kernel (before Linux 5.12) or a seccomp profile
/// that lacks a part of it; the result is the same. mount(2) takes paths, which here lead through
/// /proc/self/fd of the host's procfs, and knows no detached mounts: what others call so is
/// attached to a stage meanwhile, a tmpfs over a directory of procfs that init does not need.
/// Runs in: init before pivot.
namespace coracle::sys::classic {

/// Whether one of the newer calls is refused, so that none of them is used.
[[nodiscard]] bool is_needed() noexcept;

[[nodiscard]] int try_make_filesystem(const FilesystemRequest& request, Fd& result,
                                      std::string& detail);
/// The mount keeps its attributes. "lazytime" must be named again: nothing tells that it is set.
[[nodiscard]] int try_reconfigure(int mount_fd, const FilesystemRequest& change,
                                  std::string& detail);
[[nodiscard]] int try_clone_tree(int dir_fd, const std::string& path, TreeDepth depth, Fd& result);
/// Mounts that another covers keep their attributes: nobody can reach them, or uncover them who
/// could not change the attributes as well. EAGAIN if the tree changes meanwhile.
[[nodiscard]] int try_set_attributes(int fd, const AttributeRequest& request, TreeDepth depth,
                                     TreeWalk& walk);
[[nodiscard]] int try_attach(int tree_fd, int target_fd) noexcept;

/// Takes the stage away, with all that was not attached elsewhere.
void remove_stage() noexcept;

} // namespace coracle::sys::classic
