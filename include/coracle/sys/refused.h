#pragma once

#include <string>

namespace coracle::sys {

/// Whether `errnum`, the kernel's answer to the system call `number`, means that it cannot be had
/// here whatever the arguments: the kernel does not know it, or a seccomp filter of an outer
/// container forbids it. Asked by calling it once more, with arguments that the kernel itself
/// answers otherwise. A fallback is chosen by this and never by a version.
[[nodiscard]] bool is_refused(long number, int errnum) noexcept;
/// The same, without an answer to go by.
[[nodiscard]] bool is_refused(long number) noexcept;
/// For what has no fallback: the cause and the cure, to follow the name of the call; else empty.
[[nodiscard]] std::string describe_refusal(long number, int errnum);

} // namespace coracle::sys
