#pragma once

#include "coracle/spec/config.h"

#include <string>
#include <string_view>
#include <vector>

namespace coracle::sandbox {

/// A filter that is built in. A name with a number never changes what it allows, but for system
/// calls that are newer than the name; one without is the newest of that name.
struct SeccompProfile {
    std::string_view name; ///< "default-1"
    std::string_view summary;
};
/// The first is the one that compose_seccomp takes where none is named.
[[nodiscard]] std::vector<SeccompProfile> seccomp_profiles();

/// A set of system calls that a word of a profile names as a whole.
struct SeccompGroup {
    std::string_view name; ///< "@file-system"
    std::string_view summary;
};
/// In the order of their names.
[[nodiscard]] std::vector<SeccompGroup> seccomp_groups();

/// The filter that `text` describes: words with commas between, such as
/// "default,+@mount,-ptrace". The first may name a profile; the others allow (+) or refuse (-) a
/// system call or a group, whatever its arguments, each in its turn.
/// Throws: usage, naming the word and the nearest that there is.
[[nodiscard]] spec::Seccomp compose_seccomp(std::string_view text);

/// Whether it is the path of a file with a filter and no words: a path has a '/', or is a .json.
[[nodiscard]] bool is_seccomp_file(std::string_view text) noexcept;

} // namespace coracle::sandbox
