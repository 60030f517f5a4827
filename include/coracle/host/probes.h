#pragma once

#include <string>

/// What the kernel lets this process do, found out by doing it in a child that ends with it:
/// nothing is changed and nothing is left. Each runs in: parent of `doctor`, with one thread, and
/// gives 0 or the errno of the step that was refused. Throws: system, if there can be no child.
namespace coracle::host {

/// An overlay in a user namespace, with its layers on a tmpfs. Source: Linux
/// Documentation/filesystems/overlayfs.rst, userxattr; 5.11.
[[nodiscard]] int probe_overlay();
/// A mount, of a tmpfs in a user namespace, with other ids. Source: mount_setattr(2),
/// MOUNT_ATTR_IDMAP; tmpfs from Linux 6.3.
[[nodiscard]] int probe_mapped_mount();
/// Seccomp's notifications to another process. Source: seccomp(2), SECCOMP_GET_NOTIF_SIZES; 5.0.
[[nodiscard]] int probe_seccomp_notify();
/// A process that is born in the cgroup of the directory `cgroup`. Source: clone3(2),
/// CLONE_INTO_CGROUP; 5.7.
[[nodiscard]] int probe_birth_in_cgroup(const std::string& cgroup);

} // namespace coracle::host
