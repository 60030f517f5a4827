#include "rootfs_private.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/sys/file.h"
#include "coracle/sys/mount.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

namespace coracle::rootfs {

namespace {

using sys::Fd;

/// The host's /dev/null, checked: the container's own could be a link to a file that must not be
/// shown (CVE-2025-31133).
Fd open_null() {
    Fd null = sys::open_at(AT_FDCWD, "/dev/null", O_PATH | O_NOFOLLOW);
    struct stat status = sys::stat_of(null.get(), "/dev/null");
    if (!S_ISCHR(status.st_mode) || status.st_rdev != ::makedev(1, 3)) {
        throw_error(ErrorKind::denied, "/dev/null of the host is not the device 1:3");
    }
    return null;
}

/// One empty read-only tmpfs serves all masked directories: the first gets it, the others clones,
/// since only an attached mount can be cloned.
class DirectoryMask {
  public:
    [[nodiscard]] Fd make(const std::string& name) {
        if (attached_) {
            return sys::clone_tree(attached_.get(), "", sys::TreeDepth::single);
        }
        sys::FilesystemRequest request;
        request.type = "tmpfs";
        request.source = "tmpfs";
        request.options = {"size=4k", "nr_inodes=1", "mode=555"};
        request.attributes =
            MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
        Fd mount;
        std::string detail;
        int errnum = sys::try_make_filesystem(request, mount, detail);
        if (errnum != 0) {
            throw_system(errnum, "mask " + printable(name) + ": mount tmpfs: " + detail);
        }
        return mount;
    }
    void keep(Fd mount) {
        if (!attached_) {
            attached_ = std::move(mount);
        }
    }

  private:
    Fd attached_;
};

/// Nothing if the path is not there: there is nothing to hide then.
Fd find_in_root(int root_fd, const std::string& path) {
    Fd target;
    int errnum = sys::try_open_in_root(root_fd, path, O_PATH, sys::Symlinks::follow, target);
    if (errnum != 0 && errnum != ENOENT && errnum != ENOTDIR) {
        throw_system(errnum, "open " + printable(path) + " in the root file system");
    }
    return target;
}

} // namespace

void mask_paths(int root_fd, const std::vector<std::string>& paths) {
    Fd null;
    DirectoryMask directory_mask;
    for (const std::string& path : paths) {
        Fd target = find_in_root(root_fd, path);
        if (!target) {
            continue;
        }
        if (S_ISDIR(sys::stat_of(target.get(), path).st_mode)) {
            Fd mask = directory_mask.make(path);
            sys::attach(mask.get(), target.get(), path);
            directory_mask.keep(std::move(mask));
            continue;
        }
        if (!null) {
            null = open_null();
        }
        Fd mask = sys::clone_tree(null.get(), "", sys::TreeDepth::single);
        sys::attach(mask.get(), target.get(), path);
    }
}

void make_paths_readonly(int root_fd, const std::vector<std::string>& paths) {
    for (const std::string& path : paths) {
        Fd target = find_in_root(root_fd, path);
        if (!target) {
            continue;
        }
        Fd tree = sys::clone_tree(target.get(), "", sys::TreeDepth::recursive);
        sys::set_attributes(tree.get(), {MOUNT_ATTR_RDONLY, 0, 0}, sys::TreeDepth::recursive, path);
        sys::attach(tree.get(), target.get(), path);
    }
}

} // namespace coracle::rootfs
