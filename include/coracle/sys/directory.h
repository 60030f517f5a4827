#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace coracle::sys {

/// The names in a directory, without "." and "..", in no order. Throws: system.
[[nodiscard]] std::vector<std::string> list_directory(int dir_fd);

/// Takes the exclusive flock(2) of an open file, trying until `patience` is over. False if another
/// open file still has it then. Throws: system.
[[nodiscard]] bool lock_exclusively(int fd, std::chrono::milliseconds patience);

/// Gives the lock up.
void unlock(int fd) noexcept;

/// Takes the entry `name` away, a directory with all that is in it, however deep, never following a
/// symbolic link; a directory of the caller's that its mode protects is made accessible first. What
/// is gone already is no error. Throws: system, naming the entry.
void remove_tree(int dir_fd, const std::string& name);

/// Whether there is a regular file of that name; a symbolic link to one is none.
[[nodiscard]] bool is_regular_file(int dir_fd, const std::string& path) noexcept;

} // namespace coracle::sys
