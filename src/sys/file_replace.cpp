#include "coracle/sys/file.h"

#include "coracle/base/error.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace coracle::sys {

namespace {

void rename_temporary(int dir_fd, const std::string& temporary, const std::string& name) {
    try {
        rename_file(dir_fd, temporary, name);
    } catch (Error&) { // catch: removes the temporary, rethrows
        (void)::unlinkat(dir_fd, temporary.c_str(), 0);
        throw;
    }
}

} // namespace

void stage_file(int dir_fd, const std::string& name, const std::string& temporary,
                std::string_view data, mode_t mode) {
    constexpr int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
    Fd fd;
    if (int errnum = try_open_at(dir_fd, temporary, flags, mode, fd); errnum != 0) {
        // What an earlier run that was killed may have left; O_EXCL refuses anything else.
        (void)::unlinkat(dir_fd, temporary.c_str(), 0);
        fd = open_at(dir_fd, temporary, flags, mode);
    }
    try {
        write_all(fd.get(), data, name);
        close_written(std::move(fd), name);
    } catch (Error&) { // catch: removes the temporary, rethrows
        (void)::unlinkat(dir_fd, temporary.c_str(), 0);
        throw;
    }
}

void replace_file(int dir_fd, const std::string& name, const std::string& temporary,
                  std::string_view data, mode_t mode) {
    stage_file(dir_fd, name, temporary, data, mode);
    rename_temporary(dir_fd, temporary, name);
}

void exchange_file(int dir_fd, const std::string& name, const std::string& temporary) {
    if (::renameat2(dir_fd, temporary.c_str(), dir_fd, name.c_str(), RENAME_EXCHANGE) != 0) {
        // No old file, or a file system or an outer container that has no exchange.
        rename_temporary(dir_fd, temporary, name);
    }
}

bool try_place_file(int dir_fd, const std::string& name, std::string_view data, mode_t mode) {
    Fd fd;
    if (try_open_at(dir_fd, ".", O_WRONLY | O_TMPFILE, mode, fd) != 0) {
        return false;
    }
    write_all(fd.get(), data, name);
    std::string self = "/proc/self/fd/" + std::to_string(fd.get());
    int result = ::linkat(AT_FDCWD, self.c_str(), dir_fd, name.c_str(), AT_SYMLINK_FOLLOW);
    if (result != 0 && errno == EEXIST && try_unlink(dir_fd, name, 0) == 0) {
        result = ::linkat(AT_FDCWD, self.c_str(), dir_fd, name.c_str(), AT_SYMLINK_FOLLOW);
    }
    if (result != 0) {
        return false;
    }
    try {
        close_written(std::move(fd), name);
    } catch (Error&) { // catch: takes the file away, rethrows
        (void)try_unlink(dir_fd, name, 0);
        throw;
    }
    return true;
}

} // namespace coracle::sys
