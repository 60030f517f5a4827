#pragma once

#include "coracle/rootfs/rootfs.h"
#include "coracle/sys/rooted_path.h"

#include <string>
#include <vector>

namespace coracle::rootfs {

/// Carries the step out. The fd is the root of what was mounted.
sys::Fd mount_step(int root_fd, const plan::MountStep& step,
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

} // namespace coracle::rootfs
