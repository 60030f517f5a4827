#include "coracle/sys/mount.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/sys/file.h"
#include "coracle/sys/procfs.h"
#include "coracle/sys/refused.h"
#include "coracle/sys/rooted_path.h"
#include "mount_classic_private.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <string_view>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

namespace coracle::sys {

namespace {

/// What the kernel's filesystem context has to say, such as "tmpfs: Unknown parameter 'x'".
std::string read_context_log(int context) {
    std::array<char, 512> buffer{};
    ssize_t length = ::read(context, buffer.data(), buffer.size());
    if (length <= 2) {
        return {};
    }
    // "e MESSAGE\n": the level and a blank come first.
    std::string_view text(buffer.data(), static_cast<std::size_t>(length));
    text.remove_prefix(2);
    return printable(text.substr(0, text.find('\n')));
}

int configure(int context, unsigned command, const char* key, const char* value) noexcept {
    return ::fsconfig(context, command, key, value, 0) == 0 ? 0 : errno;
}

int set_option(int context, const std::string& option) noexcept {
    std::size_t equals = option.find('=');
    if (equals == std::string::npos) {
        return configure(context, FSCONFIG_SET_FLAG, option.c_str(), nullptr);
    }
    std::string key = option.substr(0, equals);
    return configure(context, FSCONFIG_SET_STRING, key.c_str(), option.c_str() + equals + 1);
}

struct SuperblockFlag {
    std::uint64_t flag;
    const char* set;
    const char* clear; ///< null: there is no such word
};
constexpr std::array<SuperblockFlag, 5> superblock_words{{
    {MS_RDONLY, "ro", "rw"},
    {MS_SYNCHRONOUS, "sync", "async"},
    {MS_DIRSYNC, "dirsync", nullptr},
    {MS_LAZYTIME, "lazytime", "nolazytime"},
    {MS_MANDLOCK, "mand", "nomand"},
}};

int set_superblock_flags(int context, const FilesystemRequest& request, std::string& object) {
    for (const SuperblockFlag& entry : superblock_words) {
        const char* word = (request.superblock_flags & entry.flag) != 0   ? entry.set
                           : (request.superblock_clear & entry.flag) != 0 ? entry.clear
                                                                          : nullptr;
        if (word == nullptr) {
            continue;
        }
        object = std::string("option ") + word;
        int errnum = configure(context, FSCONFIG_SET_FLAG, word, nullptr);
        if (errnum != 0) {
            return errnum;
        }
    }
    return 0;
}

/// Sets everything the request names; the errno and the object that was refused.
int set_parameters(int context, const FilesystemRequest& request, std::string& object) {
    object = "source " + printable(request.source);
    int errnum = request.source.empty()
                     ? 0
                     : configure(context, FSCONFIG_SET_STRING, "source", request.source.c_str());
    if (errnum != 0) {
        return errnum;
    }
    for (const std::string& option : request.options) {
        object = "option " + printable(option);
        errnum = set_option(context, option);
        if (errnum != 0) {
            return errnum;
        }
    }
    object.clear();
    return set_superblock_flags(context, request, object);
}

/// The parameters, then `command`: 0, or the errno with `detail` for a person.
int run_command(int context, const FilesystemRequest& request, unsigned command,
                std::string& detail) {
    std::string object;
    int errnum = set_parameters(context, request, object);
    if (errnum == 0) {
        object.clear();
        errnum = configure(context, command, nullptr, nullptr);
    }
    if (errnum != 0) {
        detail = read_context_log(context);
        if (detail.empty()) {
            const char* verb = command == FSCONFIG_CMD_CREATE ? "create" : "reconfigure";
            detail = object.empty() ? std::string("fsconfig: ") + verb : object;
        }
    }
    return errnum;
}

/// What mount(2) takes, up to a page in all, and fsconfig(2) does not: the list of directories of
/// an overlay, for one. Source: FSCONFIG_SET_STRING in the kernel's fs/fsopen.c.
bool has_long_value(const FilesystemRequest& request) noexcept {
    constexpr std::size_t limit = 255;
    auto is_long = [](const std::string& option) {
        std::size_t equals = option.find('=');
        return equals != std::string::npos && option.size() - equals - 1 > limit;
    };
    return request.source.size() > limit || std::ranges::any_of(request.options, is_long);
}

} // namespace

int try_make_filesystem(const FilesystemRequest& request, Fd& result, std::string& detail) {
    if (classic::is_needed() || has_long_value(request)) {
        return classic::try_make_filesystem(request, result, detail);
    }
    Fd context{::fsopen(request.type.c_str(), FSOPEN_CLOEXEC)};
    if (!context) {
        int saved = errno;
        detail = saved == ENODEV ? "the kernel does not know this filesystem" : "fsopen";
        return saved;
    }
    int errnum = run_command(context.get(), request, FSCONFIG_CMD_CREATE, detail);
    if (errnum != 0) {
        return errnum;
    }
    Fd mount{::fsmount(context.get(), FSMOUNT_CLOEXEC, static_cast<unsigned>(request.attributes))};
    if (!mount) {
        int saved = errno;
        detail = "fsmount";
        return saved;
    }
    result = std::move(mount);
    return 0;
}

int try_reconfigure(int mount_fd, const FilesystemRequest& change, std::string& detail) {
    if (classic::is_needed()) {
        return classic::try_reconfigure(mount_fd, change, detail);
    }
    Fd context{::fspick(mount_fd, "", FSPICK_CLOEXEC | FSPICK_EMPTY_PATH)};
    if (!context) {
        int saved = errno;
        if (is_refused(SYS_fspick, saved)) {
            return classic::try_reconfigure(mount_fd, change, detail);
        }
        detail = saved == EINVAL ? "nothing is mounted there" : "fspick";
        return saved;
    }
    return run_command(context.get(), change, FSCONFIG_CMD_RECONFIGURE, detail);
}

int try_set_iversion(int mount_fd, std::uint64_t superblock_flags) noexcept {
    // No parameter of fsconfig(2) says it, and the others of the superblock would be cleared.
    constexpr std::uint64_t kept = MS_RDONLY | MS_SYNCHRONOUS | MS_MANDLOCK | MS_LAZYTIME;
    constexpr std::string_view links = "/proc/self/fd/";
    std::array<char, 32> path{};
    char* number = std::copy(links.begin(), links.end(), path.begin());
    std::to_chars(number, path.end() - 1, mount_fd);
    std::uint64_t flags = MS_REMOUNT | MS_I_VERSION | (superblock_flags & kept);
    return ::mount(nullptr, path.data(), nullptr, flags, nullptr) == 0 ? 0 : errno;
}

int try_clone_tree(int dir_fd, const std::string& path, TreeDepth depth, Fd& result) {
    if (classic::is_needed()) {
        return classic::try_clone_tree(dir_fd, path, depth, result);
    }
    unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
    flags |= depth == TreeDepth::recursive ? static_cast<unsigned>(AT_RECURSIVE) : 0U;
    flags |= path.empty() ? static_cast<unsigned>(AT_EMPTY_PATH) : 0U;
    int fd = ::open_tree(dir_fd, path.c_str(), flags);
    if (fd < 0) {
        return errno;
    }
    result.reset(fd);
    return 0;
}

int try_open_source(const std::string& path, TreeDepth depth, SourceLink link, Fd& result) {
    if (link == SourceLink::follow) {
        return try_clone_tree(AT_FDCWD, path, depth, result);
    }
    Fd source;
    int errnum = try_open_at(AT_FDCWD, path, O_PATH | O_NOFOLLOW, 0, source);
    if (errnum != 0) {
        return errnum;
    }
    if (link == SourceLink::copy && is_symlink(source.get())) {
        result = std::move(source);
        return 0;
    }
    return try_clone_tree(source.get(), "", depth, result);
}

Fd clone_tree(int dir_fd, const std::string& path, TreeDepth depth) {
    Fd result;
    int errnum = try_clone_tree(dir_fd, path, depth, result);
    if (errnum != 0) {
        throw_system(errnum,
                     path.empty() ? "clone the mount" : "clone the mounts at " + printable(path));
    }
    return result;
}

namespace {

int change_attributes(int fd, const AttributeRequest& request, TreeDepth depth, TreeWalk& walk) {
    if (classic::is_needed()) {
        return classic::try_set_attributes(fd, request, depth, walk);
    }
    struct mount_attr attributes {};
    attributes.attr_set = request.set;
    attributes.attr_clr = request.clear;
    attributes.propagation = request.propagation;
    unsigned flags = AT_EMPTY_PATH;
    flags |= depth == TreeDepth::recursive ? static_cast<unsigned>(AT_RECURSIVE) : 0U;
    return ::mount_setattr(fd, "", flags, &attributes, sizeof attributes) == 0 ? 0 : errno;
}

} // namespace

int try_set_attributes(int fd, const AttributeRequest& request, TreeDepth depth,
                       std::string& place) {
    TreeWalk walk;
    int errnum = change_attributes(fd, request, depth, walk);
    place = std::move(walk.failed);
    return errnum;
}

void throw_attributes_error(int errnum, int fd, const std::string& place, const std::string& name) {
    std::string what = "set mount attributes of " + printable(name + place);
    if (place.empty()) {
        throw_system(errnum, what);
    }
    what += ", by its path for want of the mount API and mount_setattr(2), Linux >= 5.12";
    throw_system(errnum, what, explain_in_root(errnum, fd, place, name));
}

void set_attributes(int fd, const AttributeRequest& request, TreeDepth depth,
                    const std::string& name) {
    std::string place;
    int errnum = try_set_attributes(fd, request, depth, place);
    if (errnum != 0) {
        throw_attributes_error(errnum, fd, place, name);
    }
}

std::vector<std::string> set_reachable_attributes(int fd, const AttributeRequest& request,
                                                  const std::string& name) {
    TreeWalk walk;
    walk.unreachable = Unreachable::left_out;
    int errnum = change_attributes(fd, request, TreeDepth::recursive, walk);
    if (errnum != 0) {
        throw_attributes_error(errnum, fd, walk.failed, name);
    }
    return std::move(walk.left_out);
}

int try_map_ids(int fd, int user_namespace, TreeDepth depth) noexcept {
    struct mount_attr attributes {};
    attributes.attr_set = MOUNT_ATTR_IDMAP;
    attributes.userns_fd = static_cast<std::uint64_t>(user_namespace);
    unsigned flags = AT_EMPTY_PATH;
    flags |= depth == TreeDepth::recursive ? static_cast<unsigned>(AT_RECURSIVE) : 0U;
    return ::mount_setattr(fd, "", flags, &attributes, sizeof attributes) == 0 ? 0 : errno;
}

bool has_detached_mounts() noexcept {
    return !classic::is_needed();
}

void attach(int tree_fd, int target_fd, const std::string& name) {
    constexpr unsigned flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
    int errnum = classic::is_needed() ? classic::try_attach(tree_fd, target_fd)
                 : ::move_mount(tree_fd, "", target_fd, "", flags) == 0 ? 0
                                                                        : errno;
    if (errnum != 0) {
        throw_system(errnum, "mount on " + printable(name));
    }
}

std::uint64_t mount_id_of(int fd) {
    // Not glibc's statx(): where the kernel's is refused it answers without this field.
    struct statx status {};
    if (::syscall(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &status) == 0 &&
        (status.stx_mask & STATX_MNT_ID) != 0) {
        return status.stx_mnt_id;
    }
    std::optional<std::uint64_t> id = find_in_fdinfo(fd, "mnt_id");
    if (!id) {
        throw_error(ErrorKind::unsupported,
                    "the id of a mount: neither statx(2) nor /proc/self/fdinfo tells it");
    }
    return *id;
}

bool is_mount_root(int fd) {
    struct statx status {};
    if (::syscall(SYS_statx, fd, "", AT_EMPTY_PATH, 0, &status) == 0 &&
        (status.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) != 0) {
        return (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
    }
    // What is above it is on another mount then. A file has no "..": the change itself will tell.
    Fd parent;
    return try_open_at(fd, "..", O_PATH, 0, parent) != 0 ||
           mount_id_of(parent.get()) != mount_id_of(fd);
}

long filesystem_magic_of(int fd, const std::string& name) {
    struct statfs status {};
    int result = -1;
    do {
        result = ::fstatfs(fd, &status);
    } while (result != 0 && errno == EINTR);
    if (result != 0) {
        int saved = errno;
        throw_system(saved, "file system of " + printable(name) + ": fstatfs");
    }
    return static_cast<long>(status.f_type);
}

} // namespace coracle::sys
