#include "coracle/sys/file.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/sys/access.h"
#include "coracle/sys/refused.h"

#include <array>
#include <cerrno>
#include <climits>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x0020
#endif

namespace coracle::sys {

int try_open_at(int dir_fd, const std::string& path, int flags, mode_t mode, Fd& result) noexcept {
    int fd = -1;
    do {
        fd = ::openat(dir_fd, path.c_str(), flags | O_CLOEXEC, mode);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0) {
        return errno;
    }
    result.reset(fd);
    return 0;
}

namespace {

AccessMode wanted_by(int flags) noexcept {
    if ((flags & O_PATH) != 0) {
        return F_OK;
    }
    int mode = flags & O_ACCMODE;
    return mode == O_RDONLY ? R_OK : mode == O_WRONLY ? W_OK : R_OK | W_OK;
}

} // namespace

Fd open_at(int dir_fd, const std::string& path, int flags, mode_t mode) {
    Fd result;
    int errnum = try_open_at(dir_fd, path, flags, mode, result);
    if (errnum != 0) {
        throw_path_error(errnum, "open " + printable(path), dir_fd, path, wanted_by(flags));
    }
    return result;
}

namespace {

/// How much to ask for next behind `used` bytes, so that a known end is seen by the same read.
std::size_t next_chunk(int fd, std::size_t used) noexcept {
    constexpr std::size_t grown_meanwhile = 4096;
    struct stat status {};
    if (::fstat(fd, &status) != 0 || status.st_size <= 0) {
        return used; // of a pipe, or of /proc
    }
    auto size = static_cast<std::size_t>(status.st_size);
    return size > used ? size - used + 1 : grown_meanwhile;
}

} // namespace

std::string read_all(int fd, std::size_t limit, const std::string& name) {
    // The size is not asked for at first: files of /proc have none, and most others fit in here.
    __attribute__((uninitialized)) std::array<char, 8192> first_chunk; // NOLINT(*-member-init)
    std::string content;
    for (;;) {
        std::size_t used = content.size();
        std::size_t most = limit + 1 - used;
        ssize_t got = -1;
        int saved = 0;
        if (used < first_chunk.size()) {
            got = ::read(fd, first_chunk.data(), std::min(first_chunk.size(), most));
            saved = errno;
            content.append(first_chunk.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
        } else {
            content.resize(used + std::min(next_chunk(fd, used), most));
            got = ::read(fd, content.data() + used, content.size() - used);
            saved = errno;
            content.resize(used + (got > 0 ? static_cast<std::size_t>(got) : 0));
        }
        if (got < 0 && saved == EINTR) {
            continue;
        }
        if (got < 0) {
            throw_system(saved, "read " + name);
        }
        if (content.size() > limit) {
            throw_error(ErrorKind::invalid_config,
                        name + ": larger than " + std::to_string(limit) + " bytes");
        }
        if (got == 0) {
            content.shrink_to_fit();
            return content;
        }
    }
}

std::string read_regular_file(int dir_fd, const std::string& path, std::size_t limit) {
    Fd fd = open_at(dir_fd, path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY);
    struct stat status = stat_of(fd.get(), path);
    if (!S_ISREG(status.st_mode)) {
        throw_error(ErrorKind::invalid_config, printable(path) + ": not a regular file");
    }
    return read_all(fd.get(), limit, printable(path));
}

void write_all(int fd, std::string_view data, const std::string& name) {
    while (!data.empty()) {
        ssize_t done = ::write(fd, data.data(), data.size());
        int saved = errno;
        if (done < 0 && saved == EINTR) {
            continue;
        }
        if (done < 0) {
            throw_system(saved, "write " + printable(name));
        }
        data.remove_prefix(static_cast<std::size_t>(done));
    }
}

void close_written(Fd fd, const std::string& name) {
    int result = ::close(fd.release());
    int saved = errno;
    if (result != 0 && saved != EINTR) { // EINTR: Linux has closed it all the same
        throw_system(saved, "close " + printable(name));
    }
}

bool try_copy_range(int from, off_t offset, std::size_t size, int to) {
    for (std::size_t left = size; left > 0;) {
        ssize_t done = ::sendfile(to, from, &offset, left);
        int saved = errno;
        if (done < 0 && saved == EINTR) {
            continue;
        }
        if (done <= 0 && left == size) {
            return false;
        }
        if (done <= 0) {
            throw_system(done == 0 ? EIO : saved, "copy between files");
        }
        left -= static_cast<std::size_t>(done);
    }
    return true;
}

int try_write_file(int dir_fd, const std::string& path, std::string_view data) noexcept {
    Fd fd;
    int errnum = try_open_at(dir_fd, path, O_WRONLY, 0, fd);
    if (errnum != 0) {
        return errnum;
    }
    ssize_t done = -1;
    do {
        done = ::write(fd.get(), data.data(), data.size());
    } while (done < 0 && errno == EINTR);
    if (done < 0) {
        return errno;
    }
    return static_cast<std::size_t>(done) == data.size() ? 0 : EIO;
}

void write_file(int dir_fd, const std::string& path, std::string_view data) {
    int errnum = try_write_file(dir_fd, path, data);
    if (errnum != 0) {
        throw_system(errnum, "write " + printable(path));
    }
}

void rename_file(int dir_fd, const std::string& name, const std::string& other) {
    if (::renameat(dir_fd, name.c_str(), dir_fd, other.c_str()) != 0) {
        int saved = errno;
        throw_system(saved, "rename " + printable(name) + " to " + printable(other));
    }
}

int try_execute_access(const std::string& path) noexcept {
    if (::faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) == 0) {
        return 0;
    }
    int saved = errno;
    // The C library has an answer of its own to ENOSYS only.
    return !is_refused(SYS_faccessat2, saved)  ? saved
           : ::access(path.c_str(), X_OK) == 0 ? 0
                                               : errno;
}

struct stat stat_of(int fd, const std::string& name) {
    struct stat status {};
    if (::fstat(fd, &status) != 0) {
        int saved = errno;
        throw_system(saved, "stat " + printable(name));
    }
    return status;
}

bool is_symlink(int fd) {
    return S_ISLNK(stat_of(fd, "file").st_mode);
}

bool is_same_file(int first, int second) {
    struct stat one = stat_of(first, "file");
    struct stat two = stat_of(second, "file");
    return one.st_dev == two.st_dev && one.st_ino == two.st_ino;
}

std::optional<struct stat> find_stat(int dir_fd, const std::string& path) {
    struct stat status {};
    if (::fstatat(dir_fd, path.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) {
        return status;
    }
    int saved = errno;
    if (saved == ENOENT) {
        return std::nullopt;
    }
    throw_system(saved, "stat " + printable(path));
}

std::string read_link(int dir_fd, const std::string& path) {
    std::array<char, PATH_MAX> buffer{};
    ssize_t length = ::readlinkat(dir_fd, path.c_str(), buffer.data(), buffer.size());
    if (length < 0) {
        int saved = errno;
        throw_system(saved, "readlink " + printable(path));
    }
    return {buffer.data(), static_cast<std::size_t>(length)};
}

int try_make_directory(int dir_fd, const std::string& path, mode_t mode) noexcept {
    return ::mkdirat(dir_fd, path.c_str(), mode) == 0 ? 0 : errno;
}

int try_make_symlink(int dir_fd, const std::string& path, const std::string& target) noexcept {
    return ::symlinkat(target.c_str(), dir_fd, path.c_str()) == 0 ? 0 : errno;
}

int try_unlink(int dir_fd, const std::string& path, int flags) noexcept {
    return ::unlinkat(dir_fd, path.c_str(), flags) == 0 ? 0 : errno;
}

std::string current_directory() {
    std::array<char, PATH_MAX> buffer{};
    if (::getcwd(buffer.data(), buffer.size()) == nullptr) {
        int saved = errno;
        throw_system(saved, "current directory",
                     saved == ENOENT ? "it has been deleted: change to another one" : "");
    }
    return buffer.data();
}

bool may_write(const std::string& path) noexcept {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) {
        return false;
    }
    int search = S_ISDIR(status.st_mode) ? X_OK : 0;
    return ::faccessat(AT_FDCWD, path.c_str(), W_OK | search, AT_EACCESS) == 0;
}

int try_change_owner(int dir_fd, const std::string& name, std::uint32_t uid) noexcept {
    constexpr gid_t unchanged = static_cast<gid_t>(-1);
    int flags = AT_SYMLINK_NOFOLLOW | (name.empty() ? AT_EMPTY_PATH : 0);
    return ::fchownat(dir_fd, name.c_str(), uid, unchanged, flags) == 0 ? 0 : errno;
}

void try_give_to(int fd, std::uint32_t uid) noexcept {
    if (::fchown(fd, uid, static_cast<gid_t>(-1)) != 0) {
        return; // EPERM, EROFS, EINVAL: it keeps its owner
    }
}

int try_make_memory_file(const std::string& name, Fd& result) noexcept {
    constexpr unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    Fd fd{::memfd_create(name.c_str(), flags | MFD_EXEC)};
    if (!fd && errno == EINVAL) { // before Linux 6.3 every memfd is executable
        fd.reset(::memfd_create(name.c_str(), flags));
    }
    if (!fd) {
        return errno;
    }
    result = std::move(fd);
    return 0;
}

Fd make_nameless_file() {
    std::string tried;
    for (const char* directory : {"/dev/shm", "/tmp", "/var/tmp"}) {
        Fd fd;
        struct statvfs status {};
        int errnum = try_open_at(AT_FDCWD, directory, O_TMPFILE | O_EXCL | O_RDWR, 0700, fd);
        if (errnum == 0 && ::fstatvfs(fd.get(), &status) == 0) {
            errnum = (status.f_flag & ST_NOEXEC) != 0 ? EACCES : 0;
        }
        if (errnum == 0) {
            return fd;
        }
        tried += std::string(tried.empty() ? "" : ", ") + directory + " (" +
                 (errnum == EACCES ? "noexec or not writable" : describe_errno(errnum)) + ")";
    }
    throw_error(ErrorKind::unsupported, "no place for a nameless executable file: " + tried);
}

Fd reopen_readonly(int fd) {
    return open_at(AT_FDCWD, "/proc/self/fd/" + std::to_string(fd), O_RDONLY);
}

void seal(int fd) {
    int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_EXEC;
    constexpr int attempts = 10;
    for (int attempt = 1; ::fcntl(fd, F_ADD_SEALS, seals) != 0; ++attempt) {
        int saved = errno;
        if (saved == EINVAL && (seals & F_SEAL_EXEC) != 0) {
            seals &= ~F_SEAL_EXEC; // which keeps the mode's x bits; from Linux 6.3
        } else if (saved != EBUSY || attempt >= attempts) {
            throw_system(saved, "seal memfd");
        }
        // EBUSY: somebody still holds a page of it; the kernel has waited for 0.15 s.
    }
}

} // namespace coracle::sys
