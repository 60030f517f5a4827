#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <sys/types.h>

namespace coracle::sys {

/// A system call that waits for an answer. Source: seccomp_unotify(2).
struct SeccompNotification {
    std::uint64_t id = 0;
    pid_t pid = 0; ///< as the caller's pid namespace numbers it; 0 if it does not see it
    std::uint32_t architecture = 0; ///< AUDIT_ARCH_*
    std::uint32_t number = 0;
    std::array<std::uint64_t, 6> arguments{};
};

enum class SeccompListenerState {
    quiet,   ///< nothing waits
    waiting, ///< a call does
    over,    ///< nobody is under the filter any more
};
[[nodiscard]] SeccompListenerState poll_seccomp_listener(int listener) noexcept;

/// Takes a call that waits; nothing if it has gone since, with its process or by a signal.
/// Throws: system.
[[nodiscard]] std::optional<SeccompNotification> receive_seccomp_notification(int listener);
/// Whether the call still waits: its pid is that of the caller as long as it does.
[[nodiscard]] bool is_waiting_for_answer(int listener, std::uint64_t id) noexcept;

/// The call fails with `errnum` instead of being made; 0: it returns 0. False if it has gone.
bool refuse_notified_call(int listener, std::uint64_t id, int errnum) noexcept;
/// The call is made after all. False if it has gone.
bool let_notified_call_go(int listener, std::uint64_t id) noexcept;

} // namespace coracle::sys
