#include "coracle/sys/fd.h"

#include "coracle/base/error.h"

#include <cerrno>
#include <fcntl.h>
#include <string>
#include <sys/syscall.h>
#include <unistd.h>

namespace coracle::sys {

void Fd::reset(int fd) noexcept {
    if (fd_ >= 0) {
        (void)::close(fd_);
    }
    fd_ = fd;
}

Fd duplicate(int fd) {
    Fd copy{::fcntl(fd, F_DUPFD_CLOEXEC, 3)};
    if (!copy) {
        int saved = errno;
        throw_system(saved, "duplicate fd " + std::to_string(fd));
    }
    return copy;
}

void require_standard_streams() {
    for (int stream = 0; stream <= 2; ++stream) {
        if (::fcntl(stream, F_GETFD) >= 0 || errno != EBADF) {
            continue;
        }
        // The lowest free number is `stream`: those below are open.
        if (::open("/dev/null", O_RDWR) != stream) { // NOLINT(android-cloexec-open): a stream
            int saved = errno;
            throw_system(saved, "open /dev/null for standard stream " + std::to_string(stream));
        }
    }
}

void close_from(unsigned first) {
    if (::syscall(SYS_close_range, first, ~0U, 0U) != 0) {
        int saved = errno;
        throw_system(saved, "close_range");
    }
}

namespace {

void set_fd_flags(int fd, int flags) {
    if (::fcntl(fd, F_SETFD, flags) != 0) {
        int saved = errno;
        throw_system(saved, "set flags of fd " + std::to_string(fd));
    }
}

} // namespace

void keep_over_exec(int fd) {
    set_fd_flags(fd, 0);
}

void close_on_exec(int fd) {
    set_fd_flags(fd, FD_CLOEXEC);
}

} // namespace coracle::sys
