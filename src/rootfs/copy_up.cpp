#include "rootfs_private.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/sys/directory.h"
#include "coracle/sys/file.h"
#include "coracle/sys/mount.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <string_view>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace coracle::rootfs {

namespace {

using sys::Fd;

/// Two descriptors a level stay open.
constexpr int max_levels = 128;

/// One directory tree, copied into a filesystem that nobody else can reach yet. The source may be
/// changed meanwhile by whoever shares it: each entry is opened once by name, never through a
/// symbolic link, and what was opened is what is copied. Other mounts are not entered.
class TreeCopy {
  public:
    explicit TreeCopy(int source) : source_mount_(sys::mount_id_of(source)) {}

    void copy_directory(int from, int to, const std::string& path, int level);
    void copy_attributes(int from, int to, const std::string& path);
    void copy_extended(int from, int to, const std::string& path);
    /// What the copy lacks, the first of each kind, in sentences for a person.
    [[nodiscard]] std::vector<std::string> losses() const;

  private:
    void copy_entry(int from, int to, const std::string& name, const std::string& path, int level);
    void copy_subdirectory(int from, int to, const std::string& name, const std::string& path,
                           int level);
    void copy_file(int from, int to, const std::string& name, const std::string& path);
    bool copy_node(int to, const std::string& name, const struct stat& status,
                   const std::string& path);
    [[nodiscard]] bool is_same_mount(int fd) const { return sys::mount_id_of(fd) == source_mount_; }

    std::uint64_t source_mount_;
    std::string attribute_lost_;
    std::string device_lost_;
};

std::vector<std::string> TreeCopy::losses() const {
    std::vector<std::string> all;
    for (const std::string& loss : {attribute_lost_, device_lost_}) {
        if (!loss.empty()) {
            all.push_back(loss);
        }
    }
    return all;
}

[[noreturn]] void fail(int errnum, const std::string& path) {
    throw_system(errnum,
                 "copy up " + printable(path) +
                     (errnum == ENOSPC   ? " (the options size and nr_inodes of the tmpfs limit it)"
                      : errnum == EINVAL ? " (its owner is not mapped in the user namespace)"
                                         : ""));
}

void require(int result, const std::string& path) {
    if (result != 0) {
        int saved = errno;
        fail(saved, path);
    }
}

Fd open_entry(int directory, const std::string& name, int flags, const std::string& path) {
    Fd entry;
    int errnum = sys::try_open_at(directory, name, flags | O_NOFOLLOW, 0600, entry);
    if (errnum != 0) {
        fail(errnum, path);
    }
    return entry;
}

std::array<struct timespec, 2> times_of(const struct stat& status) {
    return {status.st_atim, status.st_mtim};
}

/// The bytes between `begin` and `end`, at the same offset of both files.
void copy_bytes(int from, int to, off_t begin, off_t end, const std::string& path) {
    std::array<char, std::size_t{64} << 10> buffer{};
    while (begin < end) {
        std::size_t wanted = std::min(static_cast<std::size_t>(end - begin), buffer.size());
        ssize_t got = ::pread(from, buffer.data(), wanted, begin);
        if (got == 0) { // it has shrunk
            return;
        }
        require(got < 0 ? -1 : 0, path);
        for (ssize_t done = 0; done < got;) {
            ssize_t put = ::pwrite(to, buffer.data() + done, static_cast<std::size_t>(got - done),
                                   begin + done);
            require(put < 0 ? -1 : 0, path);
            done += put;
        }
        begin += got;
    }
}

/// The content without its holes: a file of a terabyte may hold nothing. Source: lseek(2).
void copy_content(int from, int to, off_t size, const std::string& path) {
    require(::ftruncate(to, size), path);
    off_t begin = 0;
    while (begin < size) {
        begin = ::lseek(from, begin, SEEK_DATA);
        if (begin < 0) { // ENXIO: only a hole is left
            require(errno == ENXIO ? 0 : -1, path);
            return;
        }
        off_t end = ::lseek(from, begin, SEEK_HOLE);
        require(end < 0 ? -1 : 0, path);
        copy_bytes(from, to, begin, std::min(end, size), path);
        begin = end;
    }
}

void TreeCopy::copy_extended(int from, int to, const std::string& path) {
    std::array<char, std::size_t{64} << 10> names{}; // XATTR_LIST_MAX
    ssize_t length = ::flistxattr(from, names.data(), names.size());
    std::vector<char> value;
    for (std::string_view rest(names.data(),
                               static_cast<std::size_t>(std::max<ssize_t>(length, 0)));
         !rest.empty();) {
        std::string name(rest.substr(0, rest.find('\0')));
        rest.remove_prefix(std::min(name.size() + 1, rest.size()));
        if (name == "security.selinux") { // the policy labels the new file
            continue;
        }
        value.resize(std::size_t{64} << 10); // XATTR_SIZE_MAX
        ssize_t size = ::fgetxattr(from, name.c_str(), value.data(), value.size());
        if (size >= 0 &&
            ::fsetxattr(to, name.c_str(), value.data(), static_cast<std::size_t>(size), 0) == 0) {
            continue;
        }
        int saved = errno;
        require(saved == ENOSPC ? -1 : 0, path);
        if (attribute_lost_.empty()) {
            attribute_lost_ = "tmpfs does not take the extended attribute " + printable(name) +
                              " of " + printable(path) + ": " + describe_errno(saved);
        }
    }
}

void TreeCopy::copy_attributes(int from, int to, const std::string& path) {
    struct stat status = sys::stat_of(from, path);
    require(::fchown(to, status.st_uid, status.st_gid), path); // first: it takes set-user-ID away
    require(::fchmod(to, status.st_mode & 07777U), path);
    copy_extended(from, to, path);
    require(::futimens(to, times_of(status).data()), path);
}

void TreeCopy::copy_file(int from, int to, const std::string& name, const std::string& path) {
    Fd source = open_entry(from, name, O_RDONLY | O_NONBLOCK | O_NOCTTY, path);
    Fd copy = open_entry(to, name, O_WRONLY | O_CREAT | O_EXCL, path);
    struct stat status = sys::stat_of(source.get(), path);
    if (S_ISREG(status.st_mode) && is_same_mount(source.get())) {
        copy_content(source.get(), copy.get(), status.st_size, path);
        copy_attributes(source.get(), copy.get(), path);
    }
}

void TreeCopy::copy_subdirectory(int from, int to, const std::string& name, const std::string& path,
                                 int level) {
    Fd source = open_entry(from, name, O_RDONLY | O_DIRECTORY, path);
    require(::mkdirat(to, name.c_str(), 0755), path);
    if (is_same_mount(source.get())) {
        Fd copy = open_entry(to, name, O_RDONLY | O_DIRECTORY, path);
        copy_directory(source.get(), copy.get(), path, level + 1);
        copy_attributes(source.get(), copy.get(), path);
    }
}

/// A fifo, a socket or a device. False for a device that is left out, since no root of a user
/// namespace makes one: the image is for others too, and few programs ask for it.
bool TreeCopy::copy_node(int to, const std::string& name, const struct stat& status,
                         const std::string& path) {
    if (::mknodat(to, name.c_str(), (status.st_mode & S_IFMT) | 0600U, status.st_rdev) == 0) {
        return true;
    }
    int saved = errno;
    if (saved != EPERM || !(S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode))) {
        fail(saved, path);
    }
    if (device_lost_.empty()) {
        device_lost_ = "the device node " + printable(path) +
                       " is left out: " + describe_errno(saved) +
                       " (none can be made in a user namespace; a bind mount of the device brings "
                       "it)";
    }
    return false;
}

void TreeCopy::copy_entry(int from, int to, const std::string& name, const std::string& path,
                          int level) {
    std::optional<struct stat> found = sys::find_stat(from, name);
    if (!found) { // removed meanwhile
        return;
    }
    if (S_ISDIR(found->st_mode)) {
        copy_subdirectory(from, to, name, path, level);
        return;
    }
    if (S_ISREG(found->st_mode)) {
        copy_file(from, to, name, path);
        return;
    }
    if (S_ISLNK(found->st_mode)) {
        require(::symlinkat(sys::read_link(from, name).c_str(), to, name.c_str()), path);
    } else if (!copy_node(to, name, *found, path)) {
        return;
    }
    require(::fchownat(to, name.c_str(), found->st_uid, found->st_gid, AT_SYMLINK_NOFOLLOW), path);
    if (!S_ISLNK(found->st_mode)) {
        require(::fchmodat(to, name.c_str(), found->st_mode & 07777U, 0), path);
    }
    require(::utimensat(to, name.c_str(), times_of(*found).data(), AT_SYMLINK_NOFOLLOW), path);
}

void TreeCopy::copy_directory(int from, int to, const std::string& path, int level) {
    if (level > max_levels) {
        fail(ELOOP, path);
    }
    for (const std::string& name : sys::list_directory(from)) {
        copy_entry(from, to, name, path + "/" + name, level);
    }
}

bool names_any(const std::vector<std::string>& options, std::string_view first,
               std::string_view second) {
    return std::any_of(options.begin(), options.end(), [&](const std::string& option) {
        return option.starts_with(first) || option.starts_with(second);
    });
}

/// The owner and mode of the covered directory, unless the options of the tmpfs say them.
void copy_top(TreeCopy& copy, const Fd& from, const Fd& to, const plan::NewFilesystem& filesystem,
              const std::string& path) {
    struct stat status = sys::stat_of(from.get(), path);
    if (!names_any(filesystem.data, "uid=", "gid=")) {
        require(::fchown(to.get(), status.st_uid, status.st_gid), path);
    }
    if (!names_any(filesystem.data, "mode=", "mode=")) {
        require(::fchmod(to.get(), status.st_mode & 07777U), path);
    }
    copy.copy_extended(from.get(), to.get(), path);
}

} // namespace

void copy_up(int covered, int tree, const plan::MountStep& step,
             std::vector<plan::Degradation>& degraded) {
    Fd from = sys::open_at(covered, ".", O_RDONLY | O_DIRECTORY);
    Fd to = sys::open_at(tree, ".", O_RDONLY | O_DIRECTORY);
    TreeCopy copy(from.get());
    copy.copy_directory(from.get(), to.get(), step.destination, 0);
    copy_top(copy, from, to, std::get<plan::NewFilesystem>(step.what), step.destination);
    for (std::string& loss : copy.losses()) {
        degraded.push_back({step.name + " " + step.destination, std::move(loss)});
    }
}

} // namespace coracle::rootfs
