#pragma once

#include "coracle/sandbox/seccomp_profiles.h"

#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace coracle::sandbox {

/// The system calls of "@mount", those of the groups in it included; nothing if there is no such
/// group.
[[nodiscard]] std::optional<std::set<std::string>> find_seccomp_group(std::string_view name);

/// Every system call that a word may name.
[[nodiscard]] std::set<std::string> known_calls();

} // namespace coracle::sandbox
