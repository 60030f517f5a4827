#pragma once

#include <string>
#include <sys/types.h>

namespace coracle::container {

/// The decimal pid without a newline, by a temporary and rename(2): complete or not there.
/// Throws: system, naming the path.
void write_pid_file(const std::string& path, const std::string& id, pid_t pid);
/// `path` from "/"; "" for "".
[[nodiscard]] std::string absolute_pid_file(const std::string& path);
/// Takes the pid file away; no error if it is gone.
void remove_pid_file(const std::string& path) noexcept;
/// Takes away what a killed write_pid_file may have left beside `path`.
void remove_pid_file_temporary(const std::string& path, const std::string& id) noexcept;

} // namespace coracle::container
