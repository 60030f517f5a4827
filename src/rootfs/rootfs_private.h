#pragma once

#include "coracle/rootfs/rootfs.h"
#include "coracle/sys/mount.h"
#include "coracle/sys/rooted_path.h"

#include <string>
#include <vector>

namespace coracle::rootfs {

/// What the mount steps share.
struct Assembly {
    const plan::RootfsPlan& plan;
    int root_fd;
    std::vector<sys::Fd>& early; ///< by step: the tree that was cloned beforehand, or empty
    const NextSource& next_source;
    std::vector<plan::Degradation>& degraded;
    bool has_shared; ///< some mount is shared, so that what is mounted in it is shared too
};
/// A detached clone of what a bind names. Throws: system, naming the source.
[[nodiscard]] sys::Fd clone_source(const plan::BindMount& bind);
/// Carries the step out. The fd is the root of what was mounted; empty for a remount.
sys::Fd mount_step(Assembly& assembly, std::size_t index);
/// Changes the mount at the step's destination and, if the step says so, its filesystem.
void remount(int root_fd, const plan::MountStep& step, const plan::Remount& change);

/// Changes the attributes of `tree`. Throws: system; a locked flag is named by its option.
void set_attributes(int tree, const plan::AttributeChange& change, sys::TreeDepth depth,
                    const std::string& name);
/// Gives an attached tree the step's propagation: what is attached to a shared mount becomes
/// shared. Throws: system.
void set_propagation(int tree, const plan::MountStep& step);

/// Copies what is in the directory `covered`, and its owner and mode, into the new tmpfs `tree`.
/// Throws: system, naming the entry.
void copy_up(int covered, int tree, const plan::MountStep& step,
             std::vector<plan::Degradation>& degraded);

void make_device(int root_fd, const plan::DeviceStep& step);
void make_symlink(int root_fd, const plan::SymlinkStep& step);
/// The mounts that masked and read-only paths lie in. A path is looked up below the mount that the
/// plan put there, and not from the root: who shares the root file system may rename /proc away
/// meanwhile, and the masks must follow it.
class MountedTrees {
  public:
    explicit MountedTrees(int root_fd) : root_fd_(root_fd) {}
    /// Keeps `tree` if one of the plan's paths lies below `step`.
    void add(const plan::RootfsPlan& plan, const plan::MountStep& step, sys::Fd tree);
    /// An O_PATH fd of `path`; empty if it is not there. Throws: system.
    [[nodiscard]] sys::Fd find(const std::string& path) const;
    /// Throws `denied` if something else than proc and sysfs is at their places by now.
    void require_in_place(const plan::RootfsPlan& plan) const;

  private:
    struct Entry {
        std::string destination;
        sys::Fd tree;
    };
    int root_fd_;
    std::vector<Entry> entries_;
};

void mask_paths(const MountedTrees& trees, const std::vector<std::string>& paths);
void make_paths_readonly(const MountedTrees& trees, const std::vector<std::string>& paths);

/// An O_PATH fd of a file of that name to mount on, made if missing. A symbolic link or directory
/// in its place is refused. Throws: system, denied.
[[nodiscard]] sys::Fd make_device_target(const sys::Parent& parent, const std::string& path);

/// Why a new procfs was answered with EPERM: the first mount that hides a part of the one in sight,
/// or the lack of a pid namespace. Runs in: init before pivot, on the failure path only.
/// Source: mount_too_revealing() in Linux fs/namespace.c; mount_namespaces(7).
[[nodiscard]] std::string explain_refused_proc();

} // namespace coracle::rootfs
