#include "foreground_private.h"

#include "coracle/base/error.h"
#include "coracle/sys/process.h"
#include "coracle/sys/procfs.h"
#include "coracle/sys/terminal.h"
#include "pump_private.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <optional>
#include <poll.h>
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

/// Handles what has arrived; init's wait status once it has ended.
std::optional<int> take_signals(const Fd& signals, pid_t init, int pidfd, int console,
                                Orphans orphans) {
    struct signalfd_siginfo info {};
    for (;;) {
        ssize_t got = ::read(signals.get(), &info, sizeof info);
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
            std::optional<int> status = reap(init, orphans);
            if (status) {
                return status;
            }
        } else if (signal == SIGWINCH && console >= 0) {
            sys::copy_window_size(STDIN_FILENO, console);
        } else {
            (void)sys::try_send_signal(pidfd, signal); // ESRCH: its end is on the way here
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

int wait_without_terminal(const Fd& signals, pid_t init, int pidfd, Orphans orphans) {
    for (;;) {
        struct pollfd entry {
            signals.get(), POLLIN, 0
        };
        (void)::poll(&entry, 1, -1);
        std::optional<int> status = take_signals(signals, init, pidfd, -1, orphans);
        if (status) {
            return *status;
        }
    }
}

int wait_with_terminal(const Fd& signals, pid_t init, int pidfd, const Fd& console,
                       Orphans orphans) {
    sys::RawMode raw(STDIN_FILENO);
    TerminalPump pump(STDIN_FILENO, STDOUT_FILENO, console.get());
    for (;;) {
        std::array<struct pollfd, 4> entries{};
        entries[0] = {signals.get(), POLLIN, 0};
        pump.fill(entries[1], entries[2], entries[3]);
        if (::poll(entries.data(), entries.size(), pump.patience()) == 0) {
            pump.repeat_end();
        }
        pump.move(entries[1], entries[2], entries[3]);
        std::optional<int> status = take_signals(signals, init, pidfd, console.get(), orphans);
        if (status) {
            pump.drain();
            return *status;
        }
    }
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

int attend(pid_t init, int pidfd, sys::Fd console, Orphans orphans) {
    Fd signals = open_signals();
    // One that ended before the signalfd was there has left SIGCHLD pending: it is blocked.
    int status = console ? wait_with_terminal(signals, init, pidfd, console, orphans)
                         : wait_without_terminal(signals, init, pidfd, orphans);
    if (orphans == Orphans::adopt) {
        end_orphans();
    }
    return status;
}

} // namespace coracle::container
