#include "mount_classic_private.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/sys/file.h"
#include "coracle/sys/procfs.h"
#include "coracle/sys/refused.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>

namespace coracle::sys::classic {

namespace {

constexpr const char* stage_path = "/proc/self/task";
constexpr unsigned long symlinks_not_followed = 0x2000; // ST_NOSYMFOLLOW, Linux >= 5.10

/// One for a process, as the mount namespace is.
struct Stage {
    bool mounted = false;
    unsigned entries = 0;
};
Stage stage; // NOLINT(*-avoid-non-const-global-variables)

std::string path_of(int fd) {
    return "/proc/self/fd/" + std::to_string(fd);
}

int call_mount(const char* source, const std::string& target, const char* type, unsigned long flags,
               const char* data) noexcept {
    return ::mount(source, target.c_str(), type, flags, data) == 0 ? 0 : errno;
}

unsigned long recursive_flag(TreeDepth depth) noexcept {
    return depth == TreeDepth::recursive ? static_cast<unsigned long>(MS_REC) : 0;
}

int prepare_stage() {
    if (stage.mounted) {
        return 0;
    }
    (void)open_proc(); // the check that it is procfs
    // First of all the stage may not reach the host; what is cloned keeps its peers there.
    // Unbindable: a clone of /proc leaves the stage out.
    int errnum = call_mount(nullptr, "/proc", nullptr, MS_SLAVE, nullptr);
    errnum = errnum != 0 ? errnum
                         : call_mount("tmpfs", stage_path, "tmpfs",
                                      MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=700");
    stage.mounted = errnum == 0;
    return errnum != 0 ? errnum : call_mount(nullptr, stage_path, nullptr, MS_UNBINDABLE, nullptr);
}

enum class EntryKind { directory, file };

/// A new place to mount on. Throws: system, since the errno would be taken for that of the mount.
std::string make_entry(EntryKind kind) {
    int errnum = prepare_stage();
    std::string path = std::string(stage_path) + "/" + std::to_string(stage.entries++);
    Fd made;
    if (errnum == 0) {
        errnum = kind == EntryKind::directory
                     ? try_make_directory(AT_FDCWD, path, 0700)
                     : try_open_at(AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL, 0600, made);
    }
    if (errnum != 0) {
        throw_system(errnum, "make a place to mount on, " + path);
    }
    return path;
}

struct FlagPair {
    std::uint64_t attribute; ///< MOUNT_ATTR_*
    unsigned long flag;      ///< MS_*
    unsigned long status;    ///< ST_*
};
constexpr std::array<FlagPair, 6> flag_pairs{{
    {MOUNT_ATTR_RDONLY, MS_RDONLY, ST_RDONLY},
    {MOUNT_ATTR_NOSUID, MS_NOSUID, ST_NOSUID},
    {MOUNT_ATTR_NODEV, MS_NODEV, ST_NODEV},
    {MOUNT_ATTR_NOEXEC, MS_NOEXEC, ST_NOEXEC},
    {MOUNT_ATTR_NODIRATIME, MS_NODIRATIME, ST_NODIRATIME},
    {MOUNT_ATTR_NOSYMFOLLOW, 256 /* MS_NOSYMFOLLOW */, symlinks_not_followed},
}};

unsigned long flags_for(std::uint64_t attributes) noexcept {
    unsigned long flags = 0;
    for (const FlagPair& pair : flag_pairs) {
        flags |= (attributes & pair.attribute) != 0 ? pair.flag : 0;
    }
    // Always given: a remount without keeps what there is only if it names no other of them.
    std::uint64_t access_time = attributes & MOUNT_ATTR__ATIME;
    return flags | (access_time == MOUNT_ATTR_NOATIME       ? MS_NOATIME
                    : access_time == MOUNT_ATTR_STRICTATIME ? MS_STRICTATIME
                                                            : MS_RELATIME);
}

/// What mount_setattr(2) keeps, so that locked flags stay. A read-only superblock counts as a
/// read-only mount: statfs(2) does not tell them apart.
int read_attributes(int fd, std::uint64_t& attributes) noexcept {
    struct statvfs status {};
    if (::fstatvfs(fd, &status) != 0) {
        return errno;
    }
    attributes = 0;
    for (const FlagPair& pair : flag_pairs) {
        attributes |= (status.f_flag & pair.status) != 0 ? pair.attribute : 0;
    }
    attributes |= (status.f_flag & ST_NOATIME) != 0    ? MOUNT_ATTR_NOATIME
                  : (status.f_flag & ST_RELATIME) != 0 ? MOUNT_ATTR_RELATIME
                                                       : MOUNT_ATTR_STRICTATIME;
    return 0;
}

int change_attributes(int fd, std::uint64_t set, std::uint64_t clear) {
    std::uint64_t attributes = 0;
    int errnum = read_attributes(fd, attributes);
    return errnum != 0
               ? errnum
               : call_mount(nullptr, path_of(fd), nullptr,
                            MS_REMOUNT | MS_BIND | flags_for((attributes & ~clear) | set), nullptr);
}

int join_options(const FilesystemRequest& request, std::string& data, std::string& detail) {
    constexpr std::size_t limit = 4095; // a page, with the zero at its end
    for (const std::string& option : request.options) {
        constexpr std::string_view label = "context="; // the kernel takes its value in quotes
        bool has_comma =
            option.find(',') != std::string::npos && option.find('"') == std::string::npos;
        bool is_label = has_comma && option.starts_with(label);
        bool is_split = has_comma && !is_label;
        data += data.empty() ? "" : ",";
        data += is_label ? std::string(label) + '"' + option.substr(label.size()) + '"' : option;
        if (is_split || data.size() > limit) {
            detail = "option " + printable(option) +
                     (is_split ? " holds a comma" : " is one too many") +
                     ": without fsconfig(2) that cannot be said";
            return EINVAL;
        }
    }
    return 0;
}

} // namespace

bool is_needed() noexcept {
    constexpr std::array<long, 6> calls{SYS_open_tree, SYS_move_mount, SYS_fsopen,
                                        SYS_fsconfig,  SYS_fsmount,    SYS_mount_setattr};
    static const bool any =
        std::any_of(calls.begin(), calls.end(), [](long number) { return is_refused(number); });
    return any;
}

int try_make_filesystem(const FilesystemRequest& request, Fd& result, std::string& detail) {
    detail = "mount(2)";
    std::string data;
    int errnum = join_options(request, data, detail);
    if (errnum != 0) {
        return errnum;
    }
    std::string place = make_entry(EntryKind::directory);
    detail += data.empty() ? "" : " with " + printable(data);
    // MS_RDONLY would make the superblock read-only too, so that the mount gets it afterwards.
    unsigned long flags =
        (flags_for(request.attributes) & ~std::uint64_t{MS_RDONLY}) | request.superblock_flags;
    const char* source = request.source.empty() ? nullptr : request.source.c_str();
    const char* type = request.type.c_str();
    bool readonly = (request.attributes & MOUNT_ATTR_RDONLY) != 0;
    errnum = call_mount(source, place, type, flags, data.c_str());
    if (errnum == EPERM && readonly && (flags & MS_RDONLY) == 0) {
        // In a user namespace, where the instance of the outer one is locked as read-only.
        flags |= MS_RDONLY;
        errnum = call_mount(source, place, type, flags, data.c_str());
    }
    if (errnum != 0) {
        detail = errnum == ENODEV ? "the kernel does not know this filesystem" : detail;
        return errnum;
    }
    // From here on no errno says that the kernel refuses the filesystem.
    Fd mounted = open_at(AT_FDCWD, place, O_PATH);
    if (readonly != ((flags & MS_RDONLY) != 0)) {
        errnum = change_attributes(mounted.get(), readonly ? MOUNT_ATTR_RDONLY : 0,
                                   readonly ? 0 : MOUNT_ATTR_RDONLY);
    }
    if (errnum != 0) {
        throw_system(errnum, "set mount attributes of the new " + request.type);
    }
    result = std::move(mounted);
    return 0;
}

int try_reconfigure(int mount_fd, const FilesystemRequest& change, std::string& detail) {
    detail = "mount(2)";
    std::string data;
    int errnum = join_options(change, data, detail);
    struct statvfs status {};
    std::uint64_t attributes = 0;
    errnum = errnum != 0 ? errnum : read_attributes(mount_fd, attributes);
    if (errnum != 0 || ::fstatvfs(mount_fd, &status) != 0) {
        return errnum != 0 ? errnum : errno;
    }
    // A remount takes away what it does not name. Read-only is left to the mount.
    std::uint64_t kept = (status.f_flag & ST_SYNCHRONOUS) != 0 ? std::uint64_t{MS_SYNCHRONOUS} : 0;
    kept |= (status.f_flag & ST_MANDLOCK) != 0 ? std::uint64_t{MS_MANDLOCK} : 0;
    std::uint64_t flags = (kept & ~change.superblock_clear) | change.superblock_flags;
    flags |= flags_for(attributes) & ~std::uint64_t{MS_RDONLY};
    errnum = call_mount(nullptr, path_of(mount_fd), nullptr, MS_REMOUNT | flags, data.c_str());
    return errnum != 0 || (attributes & MOUNT_ATTR_RDONLY) == 0
               ? errnum
               : change_attributes(mount_fd, MOUNT_ATTR_RDONLY, 0);
}

int try_clone_tree(int dir_fd, const std::string& path, TreeDepth depth, Fd& result) {
    // Resolved once, and as a directory first: that mounts what is mounted on demand.
    std::string wanted = path.empty() ? path_of(dir_fd) : path;
    int base = path.empty() ? AT_FDCWD : dir_fd;
    Fd source;
    EntryKind kind = EntryKind::directory;
    int errnum = try_open_at(base, wanted, O_PATH | O_DIRECTORY, 0, source);
    if (errnum == ENOTDIR) {
        kind = EntryKind::file;
        errnum = try_open_at(base, wanted, O_PATH, 0, source);
    }
    if (errnum != 0) {
        return errnum;
    }
    std::string place = make_entry(kind);
    unsigned long flags = MS_BIND | recursive_flag(depth);
    errnum = call_mount(path_of(source.get()).c_str(), place, nullptr, flags, nullptr);
    return errnum != 0 ? errnum : try_open_at(AT_FDCWD, place, O_PATH | O_NOFOLLOW, 0, result);
}

int try_set_attributes(int fd, const AttributeRequest& request, TreeDepth depth, TreeWalk& walk) {
    unsigned long recursive = recursive_flag(depth);
    int errnum = 0;
    if ((request.set | request.clear) != 0) {
        if (recursive != 0) {
            errnum = for_each_mount_below(
                fd, [&](int mount) { return change_attributes(mount, request.set, request.clear); },
                walk);
        }
        errnum = errnum != 0 ? errnum : change_attributes(fd, request.set, request.clear);
    }
    if (errnum == 0 && request.propagation != 0) {
        errnum =
            call_mount(nullptr, path_of(fd), nullptr, request.propagation | recursive, nullptr);
    }
    return errnum;
}

int try_attach(int tree_fd, int target_fd) noexcept {
    return call_mount(path_of(tree_fd).c_str(), path_of(target_fd), nullptr, MS_MOVE, nullptr);
}

void remove_stage() noexcept {
    if (stage.mounted) {
        (void)::umount2(stage_path, MNT_DETACH);
        stage.mounted = false;
    }
}

} // namespace coracle::sys::classic
