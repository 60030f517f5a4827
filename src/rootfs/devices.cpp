#include "rootfs_private.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/sys/file.h"
#include "coracle/sys/mount.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace coracle::rootfs {

namespace {

using sys::Fd;

bool is_same_device(const struct stat& status, const plan::DeviceStep& step) {
    bool same_type = (status.st_mode & S_IFMT) == (step.mode & S_IFMT);
    return same_type &&
           (S_ISFIFO(status.st_mode) || status.st_rdev == ::makedev(step.major, step.minor));
}

std::string describe(const plan::DeviceStep& step) {
    return printable(step.path) + " (" + std::to_string(step.major) + ":" +
           std::to_string(step.minor) + ")";
}

/// The host's node of the same path, checked after it was opened.
void bind_node(const sys::Parent& parent, const plan::DeviceStep& step) {
    Fd node;
    int errnum = sys::try_clone_tree(AT_FDCWD, step.path, sys::TreeDepth::single, node);
    if (errnum != 0) {
        throw_system(errnum, "device " + describe(step) +
                                 ": bind from the host, since a user namespace may not make nodes");
    }
    if (!is_same_device(sys::stat_of(node.get(), step.path), step)) {
        throw_error(ErrorKind::denied,
                    "device " + describe(step) + ": the host has another device under this name");
    }
    Fd target = make_device_target(parent, step.path);
    sys::attach(node.get(), target.get(), step.path);
}

void make_node(const sys::Parent& parent, const plan::DeviceStep& step) {
    int directory = parent.directory.get();
    const char* name = parent.name.c_str();
    if (::mknodat(directory, name, step.mode, ::makedev(step.major, step.minor)) != 0) {
        int saved = errno;
        std::optional<struct stat> existing = sys::find_stat(directory, parent.name);
        if (saved == EEXIST && existing && is_same_device(*existing, step)) {
            return;
        }
        throw_system(saved, "device " + describe(step) + ": mknod");
    }
    if (::fchownat(directory, name, step.uid, step.gid, AT_SYMLINK_NOFOLLOW) != 0) {
        int saved = errno;
        throw_system(saved, "device " + describe(step) + ": chown");
    }
}

} // namespace

Fd make_device_target(const sys::Parent& parent, const std::string& path) {
    Fd made;
    int errnum = sys::try_open_at(parent.directory.get(), parent.name,
                                  O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600, made);
    if (errnum == 0) {
        return made; // by us, a moment ago: whatever has this name by now
    }
    if (errnum != EEXIST) {
        throw_system(errnum, "create " + printable(path) + " in the root file system");
    }
    Fd target;
    errnum = sys::try_open_at(parent.directory.get(), parent.name, O_PATH | O_NOFOLLOW, 0, target);
    if (errnum != 0) {
        throw_system(errnum, "open " + printable(path) + " in the root file system");
    }
    mode_t mode = sys::stat_of(target.get(), path).st_mode;
    if (S_ISLNK(mode) || S_ISDIR(mode)) {
        throw_error(ErrorKind::denied, printable(path) +
                                           " in the root file system is a symbolic link or a "
                                           "directory: mount a tmpfs on /dev, or remove it");
    }
    return target;
}

const sys::Parent& ParentOfLast::open(const std::string& path) {
    std::string directory = path.substr(0, path.rfind('/') + 1);
    std::string name = path.substr(directory.size());
    if (directory.empty() || directory != directory_ || name.empty() || name == "." ||
        name == "..") {
        directory_.clear(); // of nothing, if it cannot be opened
        parent_ = sys::open_parent_in_root(root_fd_, path);
        directory_ = std::move(directory);
        return parent_;
    }
    parent_.name = std::move(name);
    return parent_;
}

void make_device(ParentOfLast& parents, const plan::DeviceStep& step) {
    const sys::Parent& parent = parents.open(step.path);
    if (step.method == plan::DeviceMethod::bind_from_host) {
        bind_node(parent, step);
    } else {
        make_node(parent, step);
    }
}

void make_symlink(ParentOfLast& parents, const plan::SymlinkStep& step) {
    const sys::Parent& parent = parents.open(step.path);
    int directory = parent.directory.get();
    const char* name = parent.name.c_str();
    if (::symlinkat(step.target.c_str(), directory, name) == 0) {
        return;
    }
    int saved = errno;
    // An image's own ptmx would be the host's terminals; its other names do no harm.
    if (saved == EEXIST && step.path == "/dev/ptmx") {
        (void)sys::try_unlink(directory, parent.name, 0);
        saved = ::symlinkat(step.target.c_str(), directory, name) == 0 ? 0 : errno;
    }
    if (saved != 0 && (saved != EEXIST || step.path == "/dev/ptmx")) {
        throw_system(saved, "link " + printable(step.path) + " in the root file system");
    }
}

} // namespace coracle::rootfs
