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

/// Puts a terminal in raw mode until it goes out of scope.
class RawMode {
  public:
    /// Does nothing if `terminal` is not one.
    explicit RawMode(int terminal) noexcept;
    ~RawMode();
    RawMode(const RawMode&) = delete;
    RawMode& operator=(const RawMode&) = delete;
    RawMode(RawMode&&) = delete;
    RawMode& operator=(RawMode&&) = delete;

  private:
    int terminal_;
    std::optional<struct termios> saved_;
};

} // namespace coracle::sys
