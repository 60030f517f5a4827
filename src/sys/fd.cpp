#include "coracle/sys/fd.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/sys/directory.h"
#include "coracle/sys/file.h"
#include "coracle/sys/refused.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <linux/close_range.h>
#include <optional>
#include <string>
#include <sys/resource.h>
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

Pipe make_pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        int saved = errno;
        throw_system(saved, "make a pipe");
    }
    return {Fd(ends[0]), Fd(ends[1])};
}

void allow_open_files(std::size_t count) {
    constexpr rlim_t others = 128;
    struct rlimit limit {};
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < count + others) {
        limit.rlim_cur = count + others;
        limit.rlim_max = std::max(limit.rlim_max, limit.rlim_cur);
        if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) {
            int saved = errno;
            throw_system(saved,
                         "raise the limit of open files to " + std::to_string(limit.rlim_cur));
        }
    }
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

void close_standard_streams() noexcept {
    for (int stream = 0; stream <= 2; ++stream) {
        (void)::close(stream);
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

void close_on_exec_from(unsigned first) {
    if (::syscall(SYS_close_range, first, ~0U, CLOSE_RANGE_CLOEXEC) == 0) {
        return;
    }
    Fd directory = open_at(AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY);
    for (const std::string& name : list_directory(directory.get())) {
        std::optional<std::uint64_t> number = parse_unsigned(name, INT32_MAX);
        if (number && *number >= first) { // the list itself is closed by now: EBADF
            (void)::fcntl(static_cast<int>(*number), F_SETFD, FD_CLOEXEC);
        }
    }
}

FdTable::FdTable() {
    if (is_refused(SYS_close_range)) {
        status_ = open_at(AT_FDCWD, "/proc/self/status", O_RDONLY);
    }
}

unsigned FdTable::size() const {
    if (!status_) {
        return 0;
    }
    constexpr std::string_view key = "\nFDSize:\t";
    std::string text = read_all(status_.get(), std::size_t{64} << 10, "/proc/self/status");
    std::size_t at = text.find(key);
    std::string_view rest =
        std::string_view(text).substr(at == std::string::npos ? text.size() : at + key.size());
    std::optional<std::uint64_t> size = parse_unsigned(rest.substr(0, rest.find('\n')), INT32_MAX);
    if (!size) {
        throw_error(ErrorKind::unsupported,
                    "/proc/self/status: no FDSize, and close_range(2) is refused");
    }
    return static_cast<unsigned>(*size);
}

void keep_over_exec(int fd) {
    set_fd_flags(fd, 0);
}

void close_on_exec(int fd) {
    set_fd_flags(fd, FD_CLOEXEC);
}

} // namespace coracle::sys
