#include "coracle/sys/directory.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/sys/file.h"

#include <cerrno>
#include <ctime>
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>

namespace coracle::sys {

std::vector<std::string> list_directory(int dir_fd) {
    Fd copy;
    int errnum = try_open_at(dir_fd, ".", O_RDONLY | O_DIRECTORY, 0, copy);
    if (errnum != 0) {
        throw_system(errnum, "open a directory to read it");
    }
    DIR* stream = ::fdopendir(copy.get());
    if (stream == nullptr) {
        int saved = errno;
        throw_system(saved, "read a directory");
    }
    (void)copy.release(); // the stream's now
    std::vector<std::string> names;
    errno = 0;
    while (const struct dirent* entry = ::readdir(stream)) {
        std::string name = static_cast<const char*>(entry->d_name);
        if (name != "." && name != "..") {
            names.push_back(std::move(name));
        }
    }
    int saved = errno;
    (void)::closedir(stream);
    if (saved != 0) {
        throw_system(saved, "read a directory");
    }
    return names;
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
        struct timespec time {
            0, std::chrono::nanoseconds(pause).count()
        };
        (void)::nanosleep(&time, nullptr);
    }
}

void unlock(int fd) noexcept {
    (void)::flock(fd, LOCK_UN);
}

namespace {

void remove_entry(int dir_fd, const std::string& name, int levels) {
    int errnum = try_unlink(dir_fd, name, 0);
    if (errnum == EISDIR) {
        errnum = try_unlink(dir_fd, name, AT_REMOVEDIR);
    }
    if (errnum == ENOTEMPTY && levels == 0) {
        errnum = ELOOP;
    } else if (errnum == ENOTEMPTY) {
        Fd directory = open_at(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        for (const std::string& inner : list_directory(directory.get())) {
            remove_entry(directory.get(), inner, levels - 1);
        }
        errnum = try_unlink(dir_fd, name, AT_REMOVEDIR);
    }
    if (errnum != 0 && errnum != ENOENT) {
        throw_system(errnum, "remove " + printable(name));
    }
}

} // namespace

void remove_tree(int dir_fd, const std::string& name) {
    constexpr int max_levels = 64;
    remove_entry(dir_fd, name, max_levels);
}

} // namespace coracle::sys
