#pragma once

#include <string>

namespace coracle::sys {

/// What a file is wanted for, as access(2) takes it: R_OK, W_OK, X_OK or F_OK.
using AccessMode = int;

/// Why `path` was answered with `errnum`, for the brackets behind an error: the first component
/// that the caller may not search, its owner and mode, and the cure; the directory that is
/// missing; the symbolic link that leads nowhere. "" if the walk does not find it. `base` is what
/// the directory `dir_fd` is called in the text.
/// Resolves as the kernel does for the caller, so it belongs behind a failed call on the same
/// path. Runs in: anywhere, on the failure path only. Never throws for what it finds.
/// Source: path_resolution(7).
[[nodiscard]] std::string explain_path(int errnum, int dir_fd, const std::string& path,
                                       AccessMode wanted, const std::string& base = {});

/// Throws: system "what: <words for errnum> (<explain_path>)".
[[noreturn]] void throw_path_error(int errnum, const std::string& what, int dir_fd,
                                   const std::string& path, AccessMode wanted);

} // namespace coracle::sys
