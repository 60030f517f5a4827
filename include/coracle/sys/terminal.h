#pragma once

#include "coracle/sys/fd.h"

#include <cstdint>
#include <optional>
#include <termios.h>

namespace coracle::sys {

/// Both ends of a new pseudo-terminal of the devpts instance that is mounted at `pts_directory`
/// (an fd). Checked: the filesystem is devpts, ptmx is the device 5:2, the peer's major is 136 to
/// 143. Throws: system, denied. Source: pts(4), TIOCGPTPEER, Linux >= 4.13.
struct Pty {
    Fd manager;
    Fd peer;
};
[[nodiscard]] Pty open_pty(int pts_directory);

/// Throws: system. Source: ioctl_tty(2), TIOCSWINSZ.
void set_window_size(int terminal, std::uint32_t height, std::uint32_t width);
/// Gives `to` the window size of `from`, if both are terminals.
void copy_window_size(int from, int to) noexcept;

/// A new session with the terminal as its controlling one, and as 0, 1 and 2.
/// Runs in: init, after setsid. Throws: system.
void make_controlling_terminal(int terminal);

/// Starts a new session. Throws: system; EPERM if the process leads a session or group already.
void start_session();

/// Whether this process may read and set the terminal: its process group is the foreground one, or
/// the terminal is not its controlling one. Source: termios(3), tcgetpgrp(3).
[[nodiscard]] bool is_in_foreground(int terminal) noexcept;

/// A terminal's raw mode, and the way back from it.
class RawMode {
  public:
    /// Sets nothing yet.
    explicit RawMode(int terminal) noexcept : terminal_(terminal) {}
    ~RawMode() { leave(); }
    RawMode(const RawMode&) = delete;
    RawMode& operator=(const RawMode&) = delete;
    RawMode(RawMode&&) = delete;
    RawMode& operator=(RawMode&&) = delete;

    /// Raw from here on, and what it is now is what leave restores. Does nothing to what is no
    /// terminal, and nothing from its background.
    void enter() noexcept;
    /// As it was; a terminal that another process group has got meanwhile is left to that.
    void leave() noexcept;

  private:
    int terminal_;
    std::optional<struct termios> saved_;
};

} // namespace coracle::sys
