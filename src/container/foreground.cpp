#include "foreground_private.h"

#include "caller_terminal_private.h"
#include "coracle/base/error.h"
#include "coracle/sys/process.h"
#include "coracle/sys/procfs.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <initializer_list>
#include <optional>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
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

/// An fd that is readable when one of those that are open is.
Fd watch(std::initializer_list<int> fds) {
    Fd all{::epoll_create1(EPOLL_CLOEXEC)};
    for (int fd : fds) {
        struct epoll_event event {};
        event.events = EPOLLIN;
        if (fd >= 0 && (!all || ::epoll_ctl(all.get(), EPOLL_CTL_ADD, fd, &event) != 0)) {
            int saved = errno;
            throw_system(saved, "epoll");
        }
    }
    return all;
}

/// Readable once, when the time is over.
Fd start_timer(std::chrono::milliseconds time) {
    Fd timer{::timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK)};
    struct itimerspec when {};
    when.it_value.tv_sec = time.count() / 1000;
    when.it_value.tv_nsec = time.count() % 1000 * 1000000;
    if (!timer || ::timerfd_settime(timer.get(), 0, &when, nullptr) != 0) {
        int saved = errno;
        throw_system(saved, "timerfd");
    }
    return timer;
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
    const Care& care;
    Fd signals;
    Fd timer; ///< empty without a time limit
    Fd all;   ///< epoll of all that can come; empty if that is signals alone
    End end;

    /// Readable when take_events has something to do.
    [[nodiscard]] int wake() const noexcept { return all ? all.get() : signals.get(); }
};

/// Whether the signal ends a process that does nothing about it. Source: signal(7).
bool is_deadly(int signal) {
    constexpr std::array<int, 9> harmless{SIGCHLD, SIGCONT, SIGSTOP,  SIGTSTP, SIGTTIN,
                                          SIGTTOU, SIGURG,  SIGWINCH, SIGKILL};
    return std::find(harmless.begin(), harmless.end(), signal) == harmless.end();
}

void forward(Attendance& attendance, int signal) {
    // ESRCH: its end is on the way here
    (void)sys::try_send_signal(attendance.pidfd, signal);
    if (attendance.care.unhandled == UnhandledSignals::end_it && is_deadly(signal) &&
        !sys::is_signal_provided_for(sys::open_proc().get(), attendance.init, signal)) {
        attendance.end.signal = signal;
        (void)sys::try_send_signal(attendance.pidfd, SIGKILL);
    }
}

void take_timer(Attendance& attendance) {
    std::uint64_t times = 0;
    if (attendance.timer && ::read(attendance.timer.get(), &times, sizeof times) == sizeof times) {
        attendance.end.timed_out = true;
        (void)sys::try_send_signal(attendance.pidfd, SIGKILL);
    }
}

void serve(const Care& care) {
    if (care.notify != nullptr) {
        (void)care.notify->pass_on(0); // this process stays the service's main one
    }
    if (care.explainer != nullptr) {
        care.explainer->answer_waiting();
    }
}

/// Handles what has arrived. True once init has ended. `terminal`: nullptr if none.
bool take_events(Attendance& attendance, CallerTerminal* terminal) {
    serve(attendance.care);
    take_timer(attendance);
    struct signalfd_siginfo info {};
    for (;;) {
        ssize_t got = ::read(attendance.signals.get(), &info, sizeof info);
        int saved = errno;
        if (got < 0 && saved == EAGAIN) {
            return false;
        }
        if (got < 0 && saved != EINTR) {
            throw_system(saved, "read the signals that have come");
        }
        if (got != sizeof info || is_of_our_own_doing(info)) {
            continue;
        }
        int signal = static_cast<int>(info.ssi_signo);
        if (signal == SIGCHLD) {
            std::optional<int> status = reap(attendance.init, attendance.care.orphans);
            if (status) {
                attendance.end.status = *status;
                return true;
            }
        } else if (terminal == nullptr || !terminal->take_signal(signal)) {
            forward(attendance, signal);
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

void wait_without_terminal(Attendance& attendance) {
    bool ended = false;
    while (!ended) {
        struct pollfd entry {
            attendance.wake(), POLLIN, 0
        };
        (void)::poll(&entry, 1, -1);
        ended = take_events(attendance, nullptr);
    }
}

/// False if the caller's terminal has gone away; with this, init's has too.
bool wait_with_terminal(Attendance& attendance, Fd console) {
    CallerTerminal terminal(std::move(console));
    while (!terminal.is_hung_up()) {
        terminal.turn(attendance.wake());
        if (take_events(attendance, &terminal)) {
            terminal.drain();
            return true;
        }
    }
    return false;
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

void wait_for_end(Attendance& attendance, Fd console) {
    if (console) {
        if (wait_with_terminal(attendance, std::move(console))) {
            return;
        }
        end_if_hangup_ends_it(attendance);
    }
    wait_without_terminal(attendance);
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

End attend(pid_t init, int pidfd, sys::Fd console, const Care& care) {
    // One that ended before the signalfd was there has left SIGCHLD pending: it is blocked.
    Attendance attendance{init, pidfd, care, open_signals(), {}, {}, {}};
    if (care.time_limit) {
        attendance.timer = start_timer(*care.time_limit);
    }
    if (care.notify != nullptr || care.explainer != nullptr || attendance.timer) {
        attendance.all = watch({attendance.signals.get(), attendance.timer.get(),
                                care.notify != nullptr ? care.notify->fd() : -1,
                                care.explainer != nullptr ? care.explainer->fd() : -1});
    }
    wait_for_end(attendance, std::move(console));
    if (care.orphans == Orphans::adopt) {
        end_orphans();
    }
    serve(care); // its last words
    if (care.explainer != nullptr && care.explainer->has_killed(init)) {
        attendance.end.status = SIGSYS;
    }
    return attendance.end;
}

} // namespace coracle::container
