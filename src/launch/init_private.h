#pragma once

namespace coracle::launch {

/// The container's first process, from the first instruction of the private copy to the execve of
/// the payload. `channel_fd` is owned from here on.
/// Runs in: init. Ends by execve, or by _exit(1) after Failed was sent.
[[noreturn]] void run_init(int channel_fd) noexcept;

/// The process that joins the container's namespaces for `exec`, and, as its sibling, the one that
/// becomes the program. Both run the private copy, executed before the namespaces are joined.
/// Runs in: joiner, then executor. Ends by execve of the program, or by _exit.
[[noreturn]] void run_joiner(int channel_fd) noexcept;

} // namespace coracle::launch
