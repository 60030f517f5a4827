#pragma once

#include "coracle/sys/fd.h"

#include <poll.h>
#include <string>

namespace coracle::container {

/// Carries bytes between the standard streams and a terminal's manager end. Nothing is lost and
/// nothing blocks: what the other side does not take yet waits here, and reading pauses meanwhile.
class TerminalPump {
  public:
    /// Borrows the fds; `console` is made non-blocking. The output is opened again, non-blocking,
    /// if it can be: the caller's own open file stays as it is.
    TerminalPump(int input, int output, int console);

    /// The input is read, or left alone: a terminal in whose background we are.
    enum class Input { taken, left };
    void set_input(Input input) noexcept { input_mode_ = input; }
    /// The input is a terminal, and it has gone away.
    [[nodiscard]] bool is_hung_up() const noexcept { return input_is_terminal_ && !input_open_; }

    /// What to poll for; an fd of -1 is not polled.
    void fill(struct pollfd& input, struct pollfd& output, struct pollfd& console) const;
    /// Moves what poll found.
    void move(const struct pollfd& input, const struct pollfd& output,
              const struct pollfd& console);
    /// How long poll may wait, in milliseconds; -1 for ever.
    [[nodiscard]] int patience() const;
    /// The wait is over and nothing came: says again that the input has ended. A program that sets
    /// its terminal up flushes what was typed before, and the end of a file stays its end.
    void repeat_end();
    /// After the payload's end: what is still in the terminal goes out.
    void drain();

  private:
    void read_input();
    void read_console();
    void write_console();
    void write_output();

    int input_;
    sys::Fd own_output_;
    int output_;
    int console_;
    Input input_mode_ = Input::taken;
    bool input_is_terminal_;
    bool input_open_ = true;
    bool console_open_ = true;
    bool repeats_end_ = false; ///< the input is not a terminal and has ended
    std::string to_console_;
    std::string to_output_;
};

} // namespace coracle::container
