#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// What the sandbox has to know of the host.
namespace coracle::sandbox {

/// An entry of the host's root directory.
struct RootEntry {
    std::string name;
    std::string link; ///< the target, if it is a symbolic link
    bool is_directory = false;
};
/// Sorted by name; files are left out. Throws: system.
[[nodiscard]] std::vector<RootEntry> find_root_entries();

enum class FileKind { missing, directory, other };
/// What `path` leads to; missing too if the caller may not reach it. Throws: system.
[[nodiscard]] FileKind find_kind(const std::string& path);

/// The current directory. Throws: system.
[[nodiscard]] std::string working_directory();

/// HOME of the environment if it is an absolute path; empty without.
[[nodiscard]] std::string home_directory();

/// A variable of the caller.
[[nodiscard]] std::optional<std::string> find_variable(const std::string& name);

/// The names of all variables of the caller.
[[nodiscard]] std::vector<std::string> variable_names();

/// Where the host's /etc/resolv.conf really is; empty if there is none. Throws: system.
[[nodiscard]] std::string find_resolver_file();

} // namespace coracle::sandbox
