#pragma once

#include <cstdint>

/// From the mount tree of the host to the one of the container. Source: pivot_root(2),
/// mount_namespaces(7).
namespace coracle::sys {

/// Sets the propagation of "/", or with MS_REC of everything in this mount namespace, to MS_SLAVE,
/// MS_PRIVATE, MS_SHARED or MS_UNBINDABLE. Runs in: init. Throws: system.
void set_namespace_propagation(std::uint64_t propagation);

/// Makes `root_fd`'s mount the root of this mount namespace and takes the old one away.
/// Runs in: init. Throws: system. Source: pivot_root(2), NOTES: pivot_root(".", ".").
void pivot_into(int root_fd);

/// For --no-pivot: moves `root_fd`'s mount over "/" and changes the root to it, after the host's
/// proc and sysfs were unmounted or covered. What else was mounted stays reachable to a process
/// with CAP_SYS_CHROOT: unsafe, for an initramfs only.
void move_into(int root_fd);

} // namespace coracle::sys
