#include "rootfs_private.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/sys/mount.h"

#include <cerrno>
#include <fcntl.h>

namespace coracle::rootfs {

namespace {

void change_filesystem(int target, const plan::Remount& change) {
    sys::FilesystemRequest request;
    request.options = change.data;
    request.superblock_flags = change.superblock_flags;
    request.superblock_clear = change.superblock_clear;
    if (request.options.empty() && (request.superblock_flags | request.superblock_clear) == 0) {
        return;
    }
    std::string detail;
    int errnum = sys::try_reconfigure(target, request, detail);
    if (errnum != 0) {
        throw_system(errnum, "remount: " + detail);
    }
}

} // namespace

void remount(int root_fd, const plan::MountStep& step, const plan::Remount& change) {
    sys::Fd target =
        sys::open_in_root(root_fd, step.destination, O_PATH | (step.on_symlink ? O_NOFOLLOW : 0));
    if (!sys::is_mount_root(target.get())) {
        throw_error(ErrorKind::invalid_config,
                    "remount: no earlier mount is at " + printable(step.destination));
    }
    change_filesystem(target.get(), change);
    set_attributes(target.get(), step.recursive_attributes, sys::TreeDepth::recursive,
                   step.destination);
    set_attributes(target.get(), step.attributes, sys::TreeDepth::single, step.destination);
    if (step.propagation != 0) {
        set_propagation(target.get(), step);
    }
}

} // namespace coracle::rootfs
