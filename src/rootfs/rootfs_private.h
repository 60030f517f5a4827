#pragma once

#include "coracle/rootfs/rootfs.h"
#include "coracle/sys/rooted_path.h"

#include <string>

namespace coracle::rootfs {

void mount_step(int root_fd, const plan::MountStep& step,
                std::vector<plan::Degradation>& degraded);
void make_device(int root_fd, const plan::DeviceStep& step);
void make_symlink(int root_fd, const plan::SymlinkStep& step);
void mask_paths(int root_fd, const std::vector<std::string>& paths);
void make_paths_readonly(int root_fd, const std::vector<std::string>& paths);

/// An O_PATH fd of a file of that name to mount on, made if missing. A symbolic link or directory
/// in its place is refused. Throws: system, denied.
[[nodiscard]] sys::Fd make_device_target(const sys::Parent& parent, const std::string& path);

} // namespace coracle::rootfs
