#include "rootfs_private.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/sys/access.h"
#include "coracle/sys/file.h"
#include "coracle/sys/mount.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <linux/magic.h>
#include <string_view>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

namespace coracle::rootfs {

namespace {

using sys::Fd;

/// What a manager such as lxcfs may put over a file of /proc; anything else there could redirect
/// what the kernel or a later runtime process writes.
bool may_cover_in_proc(const std::string& destination) {
    constexpr std::array<std::string_view, 11> allowed{"/proc/cpuinfo",
                                                       "/proc/diskstats",
                                                       "/proc/meminfo",
                                                       "/proc/stat",
                                                       "/proc/swaps",
                                                       "/proc/uptime",
                                                       "/proc/loadavg",
                                                       "/proc/slabinfo",
                                                       "/proc/net/dev",
                                                       "/proc/sys/kernel/ns_last_pid",
                                                       "/proc/sys/crypto/fips_enabled"};
    return std::find(allowed.begin(), allowed.end(), destination) != allowed.end();
}

/// /proc holds procfs or nothing, and nothing but known files lies over a part of it.
/// CVE-2019-16884, CVE-2019-19921.
void require_safe_for_proc(int tree, int target, const plan::MountStep& step) {
    bool to_proc = step.destination == "/proc";
    bool procfs = sys::filesystem_magic_of(to_proc ? tree : target, step.destination) ==
                  PROC_SUPER_MAGIC; // what comes there; what it would cover
    if (to_proc ? !procfs : procfs && !may_cover_in_proc(step.destination)) {
        throw_error(ErrorKind::denied, printable(step.destination) +
                                           ": only procfs may be mounted on /proc, and only known "
                                           "files inside it may be covered");
    }
}

/// The place to mount on. For proc and sysfs every component must be a real directory: a symbolic
/// link would put them, and with them the masks, somewhere else.
Fd open_destination(int root_fd, const plan::MountStep& step, sys::NodeKind kind) {
    if (!step.no_symlinks) {
        return step.on_symlink ? sys::make_unfollowed_in_root(root_fd, step.destination, kind)
                               : sys::make_in_root(root_fd, step.destination, kind);
    }
    Fd target;
    constexpr int flags = O_PATH | O_DIRECTORY;
    int errnum =
        sys::try_open_in_root(root_fd, step.destination, flags, sys::Symlinks::refuse, target);
    if (errnum == ENOENT) {
        (void)sys::make_in_root(root_fd, step.destination, kind);
        errnum =
            sys::try_open_in_root(root_fd, step.destination, flags, sys::Symlinks::refuse, target);
    }
    if (errnum != 0) {
        throw_system(errnum, printable(step.destination) +
                                 " in the root file system must be a directory without symbolic "
                                 "links");
    }
    return target;
}

/// Gives a detached clone of a bind's source its final attributes.
void prepare_bind(const Fd& tree, const plan::MountStep& step) {
    set_attributes(tree.get(), step.recursive_attributes, sys::TreeDepth::recursive,
                   step.destination);
    set_attributes(tree.get(), step.attributes, sys::TreeDepth::single, step.destination);
}

/// Makes the link that the source is, where it is not there already.
void copy_link(int root_fd, const plan::MountStep& step, const Fd& link) {
    std::string target = sys::read_link(link.get(), "");
    sys::Parent parent = sys::open_parent_in_root(root_fd, step.destination);
    int directory = parent.directory.get();
    if (::symlinkat(target.c_str(), directory, parent.name.c_str()) == 0) {
        return;
    }
    int saved = errno;
    std::optional<struct stat> there = sys::find_stat(directory, parent.name);
    bool is_link = saved == EEXIST && there && S_ISLNK(there->st_mode);
    if (!is_link || sys::read_link(directory, parent.name) != target) {
        throw_system(saved, "copy-symlink: make " + printable(step.destination) +
                                " in the root file system a link to " + printable(target));
    }
}

/// The fallback shows the host's own instance, so what was asked for one mount holds for its tree,
/// except what this process cannot reach: `untouched`. The container cannot either, as long as the
/// host leaves the directories above it closed to the container's ids.
Fd make_fallback(const plan::MountStep& step, const std::string& refusal,
                 std::vector<std::string>& untouched) {
    Fd tree = in_context([&] { return refusal + ", and of the host"; },
                         [&] {
                             return sys::clone_tree(AT_FDCWD, step.fallback->source,
                                                    sys::TreeDepth::recursive);
                         });
    sys::AttributeRequest request;
    request.set = step.attributes.set | step.recursive_attributes.set;
    request.clear = (request.set & MOUNT_ATTR__ATIME) != 0 ? MOUNT_ATTR__ATIME : 0;
    untouched = sys::set_reachable_attributes(tree.get(), request, step.destination);
    return tree;
}

std::string explain(const plan::NewFilesystem& filesystem, int errnum) {
    if (filesystem.type == "proc" && errnum == EPERM) {
        return " (" + explain_refused_proc() + ")";
    }
    if (errnum == EPERM) {
        return " (not allowed in a user namespace)";
    }
    const auto is_id = [](const std::string& option) {
        return option.starts_with("uid=") || option.starts_with("gid=");
    };
    bool has_id = std::any_of(filesystem.data.begin(), filesystem.data.end(), is_id);
    return errnum == EINVAL && has_id
               ? " (a uid or gid that the user namespace does not map is refused)"
               : "";
}

/// The layers of "lowerdir=/a:/b\\:c". Source: Documentation/filesystems/overlayfs.rst.
std::vector<std::string> layers_of(std::string_view option) {
    std::vector<std::string> layers(1);
    for (std::size_t i = option.find('=') + 1; i < option.size(); ++i) {
        if (option[i] == ':') {
            layers.emplace_back();
            continue;
        }
        i += option[i] == '\\' && i + 1 < option.size() ? 1 : 0;
        layers.back() += option[i];
    }
    return layers;
}

/// Which layer of an overlay the caller cannot reach, and why; the kernel does not tell.
std::string explain_layers(const plan::NewFilesystem& filesystem, int errnum) {
    for (const std::string& option : filesystem.data) {
        bool is_upper = option.starts_with("upperdir=") || option.starts_with("workdir=");
        if (filesystem.type != "overlay" || !(is_upper || option.starts_with("lowerdir="))) {
            continue;
        }
        for (const std::string& layer : layers_of(option)) {
            std::string cause =
                sys::explain_path(errnum, AT_FDCWD, layer, is_upper ? W_OK | X_OK : X_OK);
            if (!cause.empty()) {
                return cause;
            }
        }
    }
    return {};
}

Fd make_filesystem(const plan::NewFilesystem& filesystem, const plan::MountStep& step,
                   std::vector<plan::Degradation>& degraded) {
    sys::FilesystemRequest request;
    request.type = filesystem.type;
    request.source = filesystem.source;
    request.options = filesystem.data;
    request.superblock_flags = filesystem.superblock_flags;
    request.attributes = step.attributes.set;
    if (filesystem.copy_up) {
        request.attributes &= ~std::uint64_t{MOUNT_ATTR_RDONLY};
    }
    Fd tree;
    std::string detail;
    int errnum = sys::try_make_filesystem(request, tree, detail);
    if (errnum == 0) {
        return tree;
    }
    if ((errnum == EPERM || errnum == EBUSY) && step.fallback) {
        std::string refusal =
            "a new " + filesystem.type + " is refused (" + describe_errno(errnum) + ")";
        std::vector<std::string> untouched;
        Fd fallback = make_fallback(step, refusal, untouched);
        degraded.push_back({step.name + " " + step.destination,
                            refusal + ", so the host's " + step.fallback->source + " is shown"});
        for (const std::string& place : untouched) {
            degraded.push_back({step.name + " " + step.destination + printable(place),
                                "keeps the host's mount options: a directory above it is closed, "
                                "and without the mount API and mount_setattr(2), Linux >= 5.12, it "
                                "must be reached"});
        }
        return fallback;
    }
    throw_system(
        errnum, "mount " + printable(filesystem.type) + ": " + detail + explain(filesystem, errnum),
        explain_layers(filesystem, errnum));
}

/// A directory goes on a directory, anything else on what is none.
void require_same_kind(int target, bool is_directory, const plan::MountStep& step) {
    if (S_ISDIR(sys::stat_of(target, step.destination).st_mode) != is_directory) {
        throw_system(is_directory ? ENOTDIR : EISDIR,
                     printable(step.destination) + " in the root file system, to mount " +
                         (is_directory ? "a directory" : "a file") + " on");
    }
}

/// What a new filesystem can be given only before others see it, or only once it is attached.
void fill(int target, int tree, const plan::MountStep& step,
          std::vector<plan::Degradation>& degraded) {
    const plan::NewFilesystem* filesystem = std::get_if<plan::NewFilesystem>(&step.what);
    if (filesystem == nullptr || !filesystem->copy_up) {
        return;
    }
    copy_up(target, tree, step, degraded);
    set_attributes(tree, step.attributes, sys::TreeDepth::single, step.destination);
}

void set_iversion(int tree, const plan::MountStep& step) {
    const plan::NewFilesystem* filesystem = std::get_if<plan::NewFilesystem>(&step.what);
    if (filesystem == nullptr || (filesystem->superblock_flags & MS_I_VERSION) == 0) {
        return;
    }
    int errnum = sys::try_set_iversion(tree, filesystem->superblock_flags);
    if (errnum != 0) {
        throw_system(errnum, "option iversion");
    }
    set_attributes(tree, step.attributes, sys::TreeDepth::single, step.destination);
}

} // namespace

Fd open_source(const plan::BindMount& bind) {
    Fd tree;
    int errnum = sys::try_open_source(
        bind.source, bind.recursive ? sys::TreeDepth::recursive : sys::TreeDepth::single, bind.link,
        tree);
    if (errnum != 0) {
        bool locked = errnum == EINVAL && !bind.recursive;
        throw_system(errnum, "source " + printable(bind.source),
                     locked ? "mounts below it are locked in a user namespace: use rbind"
                            : sys::explain_path(errnum, AT_FDCWD, bind.source, F_OK));
    }
    return tree;
}

Fd mount_step(Assembly& assembly, std::size_t index) {
    const plan::MountStep& step = assembly.plan.mounts[index];
    if (const plan::Remount* change = std::get_if<plan::Remount>(&step.what)) {
        remount(assembly.root_fd, step, *change);
        return {};
    }
    const plan::BindMount* bind = std::get_if<plan::BindMount>(&step.what);
    Fd tree;
    if (bind != nullptr) {
        Fd early = assembly.plan.sources_given ? assembly.callbacks.next_source()
                                               : std::move(assembly.early[index]);
        tree = early ? std::move(early) : open_source(*bind);
        if (bind->link == SourceLink::copy && sys::is_symlink(tree.get())) {
            copy_link(assembly.root_fd, step, tree);
            return {};
        }
        prepare_bind(tree, step);
    } else {
        tree = make_filesystem(std::get<plan::NewFilesystem>(step.what), step, assembly.degraded);
    }
    bool is_directory =
        bind == nullptr || S_ISDIR(sys::stat_of(tree.get(), step.destination).st_mode);
    Fd target = open_destination(assembly.root_fd, step,
                                 is_directory ? sys::NodeKind::directory : sys::NodeKind::file);
    require_safe_for_proc(tree.get(), target.get(), step);
    try {
        fill(target.get(), tree.get(), step, assembly.degraded);
        sys::attach(tree.get(), target.get(), step.destination);
    } catch (const Error&) { // catch: prefers the cause, rethrows
        require_same_kind(target.get(), is_directory, step);
        throw;
    }
    set_iversion(tree.get(), step);
    // A new filesystem is private, unless what it was attached to is shared.
    if (bind != nullptr || step.fallback || step.propagation != MS_PRIVATE || assembly.has_shared) {
        set_propagation(tree.get(), step);
    }
    return tree;
}

} // namespace coracle::rootfs
