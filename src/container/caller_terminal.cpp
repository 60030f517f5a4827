#include "caller_terminal_private.h"

#include <array>
#include <csignal>
#include <unistd.h>

namespace coracle::container {

namespace {

void change_mask(int how, int signal) noexcept {
    sigset_t one;
    ::sigemptyset(&one);
    ::sigaddset(&one, signal);
    (void)::sigprocmask(how, &one, nullptr);
}

} // namespace

CallerTerminal::CallerTerminal(sys::Fd console)
    : console_(std::move(console)), raw_(STDIN_FILENO),
      pump_(STDIN_FILENO, STDOUT_FILENO, console_.get()) {
    // Blocked, it would let a background process write in spite of `stty tostop`.
    change_mask(SIG_UNBLOCK, SIGTTOU);
    follow_foreground();
}

void CallerTerminal::follow_foreground() {
    bool now = sys::is_in_foreground(STDIN_FILENO);
    if (now && !foreground_) {
        raw_.enter();
        sys::copy_window_size(STDIN_FILENO, console_.get()); // SIGWINCH is for the foreground only
    }
    foreground_ = now;
    pump_.set_input(now ? TerminalPump::Input::taken : TerminalPump::Input::left);
}

void CallerTerminal::turn(int signals) {
    std::array<struct pollfd, 4> entries{};
    entries[0] = {signals, POLLIN, 0};
    pump_.fill(entries[1], entries[2], entries[3]);
    if (::poll(entries.data(), entries.size(), pump_.patience()) == 0) {
        pump_.repeat_end();
    }
    follow_foreground();
    pump_.move(entries[1], entries[2], entries[3]);
}

/// As SIGTSTP does: not at all in an orphaned process group, which nobody would continue.
void CallerTerminal::stop() {
    raw_.leave();
    (void)::raise(SIGTSTP);
    change_mask(SIG_UNBLOCK, SIGTSTP); // stops here
    change_mask(SIG_BLOCK, SIGTSTP);
}

bool CallerTerminal::take_signal(int signal) {
    switch (signal) {
    case SIGTSTP:
    case SIGTTIN:
        stop();
        [[fallthrough]];
    case SIGCONT:
        foreground_ = false; // what the terminal was set to meanwhile is not known
        follow_foreground();
        return true;
    case SIGWINCH:
        sys::copy_window_size(STDIN_FILENO, console_.get());
        return true;
    default:
        return false;
    }
}

} // namespace coracle::container
