#include "rootfs_private.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/sys/file.h"
#include "coracle/sys/mount.h"

#include <algorithm>
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
    [[nodiscard]] Fd make() {
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
            throw_system(errnum, "mount tmpfs: " + detail);
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

/// Empty if the path is not there: there is nothing to hide then.
Fd find_below(int directory, const std::string& path, const std::string& whole) {
    Fd target;
    int errnum = sys::try_open_in_root(directory, path, O_PATH, sys::Symlinks::follow, target);
    if (errnum != 0 && errnum != ENOENT && errnum != ENOTDIR) {
        throw_system(errnum, "open " + printable(whole) + " in the root file system");
    }
    return target;
}

bool is_below(const std::string& path, const std::string& directory) {
    return path.size() > directory.size() + 1 && path.starts_with(directory) &&
           path[directory.size()] == '/';
}

bool is_any_below(const std::vector<std::string>& paths, const std::string& directory) {
    return std::any_of(paths.begin(), paths.end(),
                       [&](const std::string& path) { return is_below(path, directory); });
}

} // namespace

void MountedTrees::add(const plan::RootfsPlan& plan, const plan::MountStep& step, Fd tree) {
    if (!tree) { // a remount or a link covers nothing
        return;
    }
    // A later mount at the same place, or above it, covers what was there.
    std::erase_if(entries_, [&](const Entry& entry) {
        return entry.destination == step.destination ||
               is_below(entry.destination, step.destination);
    });
    if (step.no_symlinks || is_any_below(plan.masked_paths, step.destination) ||
        is_any_below(plan.readonly_paths, step.destination)) {
        entries_.push_back({step.destination, std::move(tree)});
    }
}

Fd MountedTrees::find(const std::string& path) const {
    const Entry* best = nullptr;
    for (const Entry& entry : entries_) {
        bool deeper = best == nullptr || entry.destination.size() > best->destination.size();
        if (is_below(path, entry.destination) && deeper) {
            best = &entry;
        }
    }
    return best == nullptr
               ? find_below(root_fd_, path, path)
               : find_below(best->tree.get(), path.substr(best->destination.size()), path);
}

void MountedTrees::require_in_place(const plan::RootfsPlan& plan) const {
    for (const plan::MountStep& step : plan.mounts) {
        for (const Entry& entry : entries_) {
            if (!step.no_symlinks || entry.destination != step.destination) {
                continue;
            }
            Fd found;
            int errnum = sys::try_open_in_root(root_fd_, step.destination, O_PATH,
                                               sys::Symlinks::refuse, found);
            bool absent = errnum == ENOENT || errnum == ELOOP || errnum == ENOTDIR;
            if (errnum != 0 && !absent) {
                throw_system(errnum,
                             "open " + printable(step.destination) + " in the root file system");
            }
            if (absent || sys::mount_id_of(found.get()) != sys::mount_id_of(entry.tree.get())) {
                throw_error(ErrorKind::denied,
                            printable(step.destination) +
                                " in the root file system was replaced while it was set up");
            }
        }
    }
}

namespace {

void mask_path(const MountedTrees& trees, const std::string& path, DirectoryMask& directory_mask,
               Fd& null) {
    Fd target = trees.find(clean_absolute(path));
    if (!target) {
        return;
    }
    if (S_ISDIR(sys::stat_of(target.get(), path).st_mode)) {
        Fd mask = directory_mask.make();
        sys::attach(mask.get(), target.get(), path);
        directory_mask.keep(std::move(mask));
        return;
    }
    if (!null) {
        null = open_null();
    }
    Fd mask = sys::clone_tree(null.get(), "", sys::TreeDepth::single);
    sys::attach(mask.get(), target.get(), path);
}

void make_path_readonly(const MountedTrees& trees, const std::string& path) {
    Fd target = trees.find(clean_absolute(path));
    if (!target) {
        return;
    }
    Fd tree = sys::clone_tree(target.get(), "", sys::TreeDepth::recursive);
    sys::set_attributes(tree.get(), {MOUNT_ATTR_RDONLY, 0, 0}, sys::TreeDepth::recursive, path);
    sys::attach(tree.get(), target.get(), path);
}

} // namespace

void mask_paths(const MountedTrees& trees, const std::vector<std::string>& paths) {
    Fd null;
    DirectoryMask directory_mask;
    for (const std::string& path : paths) {
        in_context([&] { return "mask " + printable(path); },
                   [&] { mask_path(trees, path, directory_mask, null); });
    }
}

void make_paths_readonly(const MountedTrees& trees, const std::vector<std::string>& paths) {
    for (const std::string& path : paths) {
        in_context([&] { return "make read-only " + printable(path); },
                   [&] { make_path_readonly(trees, path); });
    }
}

} // namespace coracle::rootfs
