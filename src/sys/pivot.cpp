#include "coracle/sys/pivot.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/sys/file.h"
#include "coracle/sys/mountinfo.h"
#include "coracle/sys/refused.h"
#include "mount_classic_private.h"

#include <cerrno>
#include <fcntl.h>
#include <string>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <vector>

namespace coracle::sys {

namespace {

void change_directory(int fd, const char* what) {
    if (::fchdir(fd) != 0) {
        int saved = errno;
        throw_system(saved, what);
    }
}

/// A whole proc or sysfs that stays below the new root would let the payload mount another without
/// our masks: mount_too_revealing() in fs/namespace.c looks at the mount namespace, not at the
/// root.
void take_away_host_instances(int root_fd) {
    std::string root = read_link(AT_FDCWD, "/proc/self/fd/" + std::to_string(root_fd));
    Fd file = open_at(AT_FDCWD, "/proc/self/mountinfo", O_RDONLY);
    std::vector<MountLine> lines =
        parse_mountinfo(read_all(file.get(), std::size_t{64} << 20, "/proc/self/mountinfo"));
    for (const MountLine& line : lines) {
        bool ours = line.point == root || line.point.starts_with(root + "/");
        if (ours || (line.type != "proc" && line.type != "sysfs") ||
            ::umount2(line.point.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) {
            continue;
        }
        // Locked by an outer user namespace, or gone with one above it: covered then.
        int result = ::mount("tmpfs", line.point.c_str(), "tmpfs", MS_RDONLY, nullptr);
        int saved = errno;
        if (result != 0 && saved != ENOENT) {
            throw_system(saved, "--no-pivot: cover " + printable(line.point) + " of the host");
        }
    }
}

} // namespace

void set_namespace_propagation(std::uint64_t propagation) {
    if (::mount(nullptr, "/", nullptr, propagation, nullptr) != 0) {
        int saved = errno;
        throw_system(saved,
                     "set mount propagation of /: mount" + describe_refusal(SYS_mount, saved));
    }
}

void pivot_into(int root_fd) {
    classic::remove_stage();
    change_directory(root_fd, "fchdir to the new root");
    if (::syscall(SYS_pivot_root, ".", ".") != 0) {
        int saved = errno;
        throw_system(saved,
                     "pivot_root" + (saved == EINVAL ? " (on an initramfs use --no-pivot)"
                                                     : describe_refusal(SYS_pivot_root, saved)));
    }
    // The old root now lies on top of the new one, and "." is the new one below it.
    if (::umount2(".", MNT_DETACH) != 0) {
        int saved = errno;
        throw_system(saved, "unmount the old root: umount2" + describe_refusal(SYS_umount2, saved));
    }
    if (::chdir("/") != 0) {
        int saved = errno;
        throw_system(saved, "chdir /");
    }
}

void move_into(int root_fd) {
    classic::remove_stage();
    take_away_host_instances(root_fd);
    change_directory(root_fd, "fchdir to the new root");
    if (::mount(".", "/", nullptr, MS_MOVE, nullptr) != 0 || ::chroot(".") != 0 ||
        ::chdir("/") != 0) {
        int saved = errno;
        throw_system(saved, "move the new root to /");
    }
}

} // namespace coracle::sys
