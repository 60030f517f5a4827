#pragma once

#include "coracle/sys/fd.h"
#include "coracle/sys/terminal.h"
#include "pump_private.h"

#include <poll.h>

namespace coracle::container {

/// The caller's terminal in front of the container's, as job control has it: raw and read while
/// this process is in its foreground, left alone in its background.
/// Source: termios(3); credentials(7), "Sessions and process groups".
class CallerTerminal {
  public:
    /// `console`: the manager end of the container's terminal.
    explicit CallerTerminal(sys::Fd console);

    /// Waits until something can be done, or `signals` is readable, and carries bytes.
    void turn(int signals);
    /// Whether the signal was for this terminal rather than for the payload: what stops and
    /// continues this process, and a change of size.
    [[nodiscard]] bool take_signal(int signal);
    /// The caller's terminal has gone away.
    [[nodiscard]] bool is_hung_up() const noexcept { return pump_.is_hung_up(); }
    /// After the payload's end: what is still in its terminal goes out.
    void drain() { pump_.drain(); }

  private:
    void follow_foreground();
    void stop();

    sys::Fd console_;
    sys::RawMode raw_;
    TerminalPump pump_;
    bool foreground_ = false;
};

} // namespace coracle::container
