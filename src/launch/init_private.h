#pragma once

namespace coracle::launch {

/// The container's first process, from the first instruction of the private copy to the execve of
/// the payload. `channel_fd` is owned from here on.
/// Runs in: init. Ends by execve, or by _exit(1) after Failed was sent.
[[noreturn]] void run_init(int channel_fd) noexcept;

} // namespace coracle::launch
