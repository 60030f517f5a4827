#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/sys/file.h"
#include "coracle/sys/process.h"
#include "coracle/sys/procfs.h"
#include "coracle/sys/refused.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <string_view>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace coracle::sys {

namespace {

/// Where pidfd_open(2) is refused, the directory /proc/PID stands for the process: it too is never
/// another's, and pidfd_send_signal(2) takes it. It cannot be polled.
bool is_process_directory(int fd) noexcept {
    struct stat status {};
    return ::fstat(fd, &status) == 0 && S_ISDIR(status.st_mode);
}

/// A leader that has left its other threads behind is a zombie, and its process has not ended.
bool has_ended(int directory) {
    std::optional<ProcessStat> stat = find_stat_in(directory);
    return !stat || ((stat->state == 'Z' || stat->state == 'X') && stat->threads <= 1);
}

/// 0 once the process has been reaped. Throws: system.
pid_t pid_of(int pidfd) {
    if (is_process_directory(pidfd)) {
        std::optional<ProcessStat> stat = find_stat_in(pidfd);
        return stat ? stat->pid : 0;
    }
    return static_cast<pid_t>(
        find_in_fdinfo(pidfd, "Pid").value_or(0)); // "-1", which is no number, once it is reaped
}

} // namespace

int try_open_pidfd(pid_t pid, Fd& result) noexcept {
    long fd = ::syscall(SYS_pidfd_open, pid, 0); // close-on-exec by itself
    int errnum = fd < 0 ? errno : 0;
    if (is_refused(SYS_pidfd_open, errnum)) {
        errnum = try_open_at(AT_FDCWD, "/proc/" + std::to_string(pid), O_RDONLY | O_DIRECTORY, 0,
                             result);
        return errnum == ENOENT ? ESRCH : errnum;
    }
    if (errnum == 0) {
        result.reset(static_cast<int>(fd));
    }
    return errnum;
}

int exit_fd_of(int pidfd) noexcept {
    return is_process_directory(pidfd) ? -1 : pidfd;
}

int try_send_signal(int pidfd, int signal) noexcept {
    int errnum = ::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0) == 0 ? 0 : errno;
    if (!is_refused(SYS_pidfd_send_signal, errnum)) {
        return errnum;
    }
    try {
        // Between these two lines the process may end and its number be given away: as with
        // kill(1).
        pid_t pid = wait_for_exit(pidfd, std::chrono::milliseconds(0)) ? 0 : pid_of(pidfd);
        return pid <= 0 ? ESRCH : ::kill(pid, signal) == 0 ? 0 : errno;
    } catch (const Error& error) { // catch: the caller asks for an errno
        return error.errnum();
    } catch (const std::exception&) { // catch: the caller asks for an errno
        return ENOMEM;
    }
}

namespace {

bool poll_once(int pidfd, std::chrono::milliseconds limit) {
    struct pollfd entry {
        pidfd, POLLIN, 0
    };
    if (!is_process_directory(pidfd)) {
        int ready = ::poll(&entry, 1, static_cast<int>(limit.count()));
        int saved = errno;
        if (ready < 0 && saved != EINTR) {
            throw_system(saved, "wait for the end of a process: poll");
        }
        return ready > 0;
    }
    constexpr std::chrono::milliseconds pause{5};
    bool ended = has_ended(pidfd);
    if (!ended) {
        (void)::poll(nullptr, 0, static_cast<int>(std::min(pause, limit).count()));
    }
    return ended;
}

} // namespace

bool wait_for_exit(int pidfd, std::chrono::milliseconds limit) {
    std::chrono::steady_clock::time_point end = std::chrono::steady_clock::now() + limit;
    for (;;) {
        auto rest = std::chrono::duration_cast<std::chrono::milliseconds>(
            end - std::chrono::steady_clock::now());
        if (poll_once(pidfd, std::max(rest, std::chrono::milliseconds(0)))) {
            return true;
        }
        if (rest.count() <= 0) {
            return false;
        }
    }
}

namespace {

// linux/pidfd.h of Linux 6.15; Debian 12's headers are older.
struct PidfdInfo {
    std::uint64_t mask;
    std::uint64_t cgroup_id;
    std::uint32_t pid, tgid, ppid;
    std::uint32_t ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
    std::int32_t exit_code;
};
constexpr std::uint64_t pidfd_info_exit = 1U << 3U;
constexpr unsigned long pidfd_get_info = _IOWR(0xFF, 11, PidfdInfo);

} // namespace

std::optional<int> find_exit_status(int pidfd) noexcept {
    bool pollable = exit_fd_of(pidfd) >= 0;
    id_t id = static_cast<id_t>(pidfd);
    try {
        id = pollable ? id : static_cast<id_t>(pid_of(pidfd));
    } catch (const std::exception&) { // catch: how a process ended only decorates another error
        return std::nullopt;
    }
    siginfo_t info{};
    if (::waitid(pollable ? P_PIDFD : P_PID, id, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
        info.si_pid != 0) { // our own child, left to be reaped
        return info.si_code == CLD_EXITED ? info.si_status << 8 : info.si_status;
    }
    PidfdInfo exit_info{};
    exit_info.mask = pidfd_info_exit;
    if (::ioctl(pidfd, pidfd_get_info, &exit_info) != 0 ||
        (exit_info.mask & pidfd_info_exit) == 0) {
        return std::nullopt;
    }
    return exit_info.exit_code;
}

} // namespace coracle::sys
