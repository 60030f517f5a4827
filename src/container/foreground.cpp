#include "foreground_private.h"

#include "caller_terminal_private.h"
#include "coracle/base/error.h"
#include "coracle/sys/process.h"
#include "coracle/sys/procfs.h"

#include <cerrno>
#include <csignal>
#include <optional>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

namespace coracle::container {

namespace {

using sys::Fd;

Fd open_signals() {
    sigset_t all;
    ::sigfillset(&all);
    Fd signals{::signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK)};
    if (!signals) {
        int saved = errno;
        throw_system(saved, "signalfd");
    }
    return signals;
}

/// An fd that is readable when one of the two is.
Fd watch(int first, int second) {
    Fd both{::epoll_create1(EPOLL_CLOEXEC)};
    for (int fd : {first, second}) {
        struct epoll_event event {};
        event.events = EPOLLIN;
        if (!both || ::epoll_ctl(both.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
            int saved = errno;
            throw_system(saved, "epoll");
        }
    }
    return both;
}

/// Reaps what has ended; init's status if it is among them.
std::optional<int> reap(pid_t init, Orphans orphans) {
    std::optional<int> result;
    for (;;) {
        int status = 0;
        pid_t pid = ::waitpid(orphans == Orphans::adopt ? -1 : init, &status, WNOHANG);
        int saved = errno;
        if (pid < 0 && saved == EINTR) {
            continue;
        }
        if (pid < 0 && !(saved == ECHILD && result)) { // SIGCHLD will not come again
            throw_system(saved, "wait for the container's init");
        }
        if (pid <= 0) {
            return result;
        }
        if (pid == init) {
            result = status;
        }
        if (orphans == Orphans::none) {
            return result;
        }
    }
}

/// What our own reads and writes bring about is not for the payload: a blocked signal is queued
/// even if it is ignored.
bool is_of_our_own_doing(const struct signalfd_siginfo& info) noexcept {
    bool of_kernel =
        info.ssi_code == SI_KERNEL && (info.ssi_signo == SIGPIPE || info.ssi_signo == SIGXFSZ ||
                                       info.ssi_signo == SIGTTIN || info.ssi_signo == SIGTTOU);
    return of_kernel ||
           (info.ssi_code == SI_USER && info.ssi_pid == static_cast<unsigned>(::getpid()));
}

/// Whom this process waits for, and what reaches it meanwhile.
struct Attendance {
    pid_t init;
    int pidfd;
    Orphans orphans;
    Fd signals;
    NotifyProxy* notify; ///< or nullptr
    Fd both;             ///< epoll of signals and notify; empty without that

    /// Readable when take_signals has something to do.
    [[nodiscard]] int wake() const noexcept { return both ? both.get() : signals.get(); }
};

/// Handles what has arrived; init's wait status once it has ended. `terminal`: nullptr if none.
std::optional<int> take_signals(const Attendance& attendance, CallerTerminal* terminal) {
    if (attendance.notify != nullptr) {
        (void)attendance.notify->pass_on(0); // this process stays the service's main one
    }
    struct signalfd_siginfo info {};
    for (;;) {
        ssize_t got = ::read(attendance.signals.get(), &info, sizeof info);
        int saved = errno;
        if (got < 0 && saved == EAGAIN) {
            return std::nullopt;
        }
        if (got < 0 && saved != EINTR) {
            throw_system(saved, "read the signals that have come");
        }
        if (got != sizeof info) {
            continue;
        }
        int signal = static_cast<int>(info.ssi_signo);
        if (is_of_our_own_doing(info)) {
            continue;
        }
        if (signal == SIGCHLD) {
            std::optional<int> status = reap(attendance.init, attendance.orphans);
            if (status) {
                return status;
            }
        } else if (terminal == nullptr || !terminal->take_signal(signal)) {
            // ESRCH: its end is on the way here
            (void)sys::try_send_signal(attendance.pidfd, signal);
        }
    }
}

/// Without a pid namespace or a cgroup this is how what init left behind is found: it has become
/// our child. Each round may free further generations.
void end_orphans() {
    constexpr int rounds = 1000;
    for (int round = 0; round < rounds; ++round) {
        try {
            for (pid_t child : sys::find_children()) {
                (void)::kill(child, SIGKILL);
            }
        } catch (const Error&) { // catch: the next round asks again; the last one gives up
            if (round + 1 < rounds) {
                continue;
            }
            throw;
        }
        if (::waitpid(-1, nullptr, 0) < 0 && errno == ECHILD) {
            return;
        }
    }
}

int wait_without_terminal(const Attendance& attendance) {
    for (;;) {
        struct pollfd entry {
            attendance.wake(), POLLIN, 0
        };
        (void)::poll(&entry, 1, -1);
        std::optional<int> status = take_signals(attendance, nullptr);
        if (status) {
            return *status;
        }
    }
}

/// Nothing if the caller's terminal has gone away; with this, init's has too.
std::optional<int> wait_with_terminal(const Attendance& attendance, Fd console) {
    CallerTerminal terminal(std::move(console));
    while (!terminal.is_hung_up()) {
        terminal.turn(attendance.wake());
        std::optional<int> status = take_signals(attendance, &terminal);
        if (status) {
            terminal.drain();
            return status;
        }
    }
    return std::nullopt;
}

/// What a terminal leaves behind when it hangs up ends, unless it asked not to. The first process
/// of a pid namespace has to be told: the kernel spares it a signal that it has no handler for.
/// Source: pid_namespaces(7).
void end_if_hangup_ends_it(const Attendance& attendance) {
    sys::Fd proc = sys::open_proc();
    if (!sys::is_signal_provided_for(proc.get(), attendance.init, SIGHUP)) {
        (void)sys::try_send_signal(attendance.pidfd, SIGKILL);
    }
}

int wait_for_end(const Attendance& attendance, Fd console) {
    if (console) {
        std::optional<int> status = wait_with_terminal(attendance, std::move(console));
        if (status) {
            return *status;
        }
        end_if_hangup_ends_it(attendance);
    }
    return wait_without_terminal(attendance);
}

} // namespace

void block_signals() {
    sigset_t all;
    ::sigfillset(&all);
    if (::sigprocmask(SIG_SETMASK, &all, nullptr) != 0) {
        int saved = errno;
        throw_system(saved, "block signals");
    }
}

int attend(pid_t init, int pidfd, sys::Fd console, Orphans orphans, NotifyProxy* notify) {
    // One that ended before the signalfd was there has left SIGCHLD pending: it is blocked.
    Attendance attendance{init, pidfd, orphans, open_signals(), notify, {}};
    if (notify != nullptr) {
        attendance.both = watch(attendance.signals.get(), notify->fd());
    }
    int status = wait_for_end(attendance, std::move(console));
    if (orphans == Orphans::adopt) {
        end_orphans();
    }
    if (notify != nullptr) {
        (void)notify->pass_on(0); // its last words
    }
    return status;
}

} // namespace coracle::container
