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
    const Callbacks& callbacks;
    std::vector<plan::Degradation>& degraded;
    bool has_shared; ///< some mount is shared, so that what is mounted in it is shared too
};
/// A detached clone of what a bind names, or the symbolic link to make anew. Throws: system, naming
/// the source.
[[nodiscard]] sys::Fd open_source(const plan::BindMount& bind);
/// Carries the step out. The fd is the root of what was mounted; empty for a remount and a link.
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

/// The directory of one entry after the other, which is /dev nearly always: opened once as long as
/// it has the same path, so that all are made in the same directory.
class ParentOfLast {
  public:
    explicit ParentOfLast(int root_fd) : root_fd_(root_fd) {}
    /// As sys::open_parent_in_root, until the next call.
    [[nodiscard]] const sys::Parent& open(const std::string& path);

  private:
    int root_fd_;
    std::string directory_;
    sys::Parent parent_;
};

void make_device(ParentOfLast& parents, const plan::DeviceStep& step);
void make_symlink(ParentOfLast& parents, const plan::SymlinkStep& step);
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

/// An fd of a file of that name to mount on, made if missing. A symbolic link or directory
/// in its place is refused. Throws: system, denied.
[[nodiscard]] sys::Fd make_device_target(const sys::Parent& parent, const std::string& path);

} // namespace coracle::rootfs
