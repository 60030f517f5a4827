#include "coracle/sys/directory.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/sys/file.h"
#include "coracle/sys/process.h"

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace coracle::sys {

std::vector<std::string> list_directory(int dir_fd) {
    Fd copy;
    int errnum = try_open_at(dir_fd, ".", O_RDONLY | O_DIRECTORY, 0, copy);
    if (errnum != 0) {
        throw_system(errnum, "open a directory to read it");
    }
    std::vector<std::string> names;
    std::vector<char> entries(8192);
    for (;;) {
        ssize_t size = ::getdents64(copy.get(), entries.data(), entries.size());
        int saved = errno;
        if (size < 0) {
            throw_system(saved, "read a directory");
        }
        if (size == 0) {
            return names;
        }
        for (std::size_t at = 0; at < static_cast<std::size_t>(size);) {
            struct dirent64 head {};
            std::memcpy(&head, entries.data() + at, offsetof(struct dirent64, d_name));
            std::string name = entries.data() + at + offsetof(struct dirent64, d_name);
            if (name != "." && name != "..") {
                names.push_back(std::move(name));
            }
            at += head.d_reclen;
        }
    }
}

bool lock_exclusively(int fd, std::chrono::milliseconds patience) {
    constexpr std::chrono::milliseconds pause{5};
    std::chrono::steady_clock::time_point end = std::chrono::steady_clock::now() + patience;
    for (;;) {
        if (::flock(fd, LOCK_EX | LOCK_NB) == 0) {
            return true;
        }
        int saved = errno;
        if (saved != EWOULDBLOCK && saved != EINTR) {
            throw_system(saved, "lock a state directory");
        }
        if (std::chrono::steady_clock::now() >= end) {
            return false;
        }
        pause_for(pause);
    }
}

void unlock(int fd) noexcept {
    (void)::flock(fd, LOCK_UN);
}

namespace {

/// The directory of an entry, which its owner may empty from here on, whatever its mode was.
Fd open_to_empty(int dir_fd, const std::string& name) {
    Fd place = open_at(dir_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW);
    constexpr mode_t everything = S_IRWXU;
    if ((stat_of(place.get(), name).st_mode & everything) != everything) {
        // fchmod(2) takes no O_PATH; another's directory stays as it is.
        (void)::chmod(("/proc/self/fd/" + std::to_string(place.get())).c_str(), everything);
    }
    return open_at(place.get(), ".", O_RDONLY | O_DIRECTORY);
}

/// A tree that is being removed. What is too deep is moved up to its top first, so that neither
/// fds nor stack run out, however deep somebody has made it.
class Removal {
  public:
    explicit Removal(int top) : top_(top) {}

    void remove(int dir_fd, const std::string& name, int levels) {
        int errnum = try_unlink(dir_fd, name, 0);
        if (errnum == EISDIR) {
            errnum = try_unlink(dir_fd, name, AT_REMOVEDIR);
        }
        if (errnum == ENOTEMPTY) {
            Fd directory = open_to_empty(dir_fd, name);
            if (levels == 0) {
                move_up(dir_fd, name);
                return;
            }
            for (const std::string& inner : list_directory(directory.get())) {
                remove(directory.get(), inner, levels - 1);
            }
            errnum = try_unlink(dir_fd, name, AT_REMOVEDIR);
        }
        if (errnum != 0 && errnum != ENOENT) {
            throw_system(errnum, "remove " + printable(name));
        }
    }

  private:
    void move_up(int dir_fd, const std::string& name) {
        for (;;) {
            std::string other = "moved-up-" + std::to_string(moved_++);
            if (::renameat(dir_fd, name.c_str(), top_, other.c_str()) == 0) {
                return;
            }
            int saved = errno;
            if (saved != ENOTEMPTY && saved != EEXIST && saved != ENOTDIR) {
                throw_system(saved, "move " + printable(name) + " up to remove it");
            }
        }
    }

    int top_;
    unsigned moved_ = 0;
};

} // namespace

void remove_tree(int dir_fd, const std::string& name) {
    constexpr int max_levels = 32;
    int errnum = try_unlink(dir_fd, name, 0);
    if (errnum == EISDIR) {
        errnum = try_unlink(dir_fd, name, AT_REMOVEDIR);
    }
    if (errnum == ENOTEMPTY) {
        Fd top = open_to_empty(dir_fd, name);
        Removal removal(top.get());
        std::vector<std::string> names = list_directory(top.get());
        while (!names.empty()) {
            for (const std::string& inner : names) {
                removal.remove(top.get(), inner, max_levels);
            }
            names = list_directory(top.get()); // what was moved up
        }
        errnum = try_unlink(dir_fd, name, AT_REMOVEDIR);
    }
    if (errnum != 0 && errnum != ENOENT) {
        throw_system(errnum, "remove " + printable(name));
    }
}

bool is_regular_file(int dir_fd, const std::string& path) noexcept {
    struct stat status {};
    return ::fstatat(dir_fd, path.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISREG(status.st_mode);
}

} // namespace coracle::sys
