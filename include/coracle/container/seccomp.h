#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// What a filter does with a call, without running anything.
namespace coracle::container {

/// A filter: the words of a profile, or a file with a linux.seccomp object or a configuration that
/// has one; empty: the configuration of the bundle.
struct SeccompSource {
    std::string profile;
    std::string bundle = ".";
    std::string config = "config.json";
};

struct SeccompQuestion {
    SeccompSource source;
    std::string call;
    std::vector<std::uint64_t> arguments; ///< up to six; what is missing is 0
};

struct SeccompVerdict {
    std::string answer;                ///< "allowed", "refused with EPERM"
    std::string reason;                ///< which rule
    std::string cure;                  ///< what would allow it; empty if it is allowed
    bool depends_on_arguments = false; ///< and none are given
};
/// Throws: usage, for a profile, a call or an argument that does not exist; invalid_config; system.
[[nodiscard]] SeccompVerdict judge_call(const SeccompQuestion& question);

} // namespace coracle::container
