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

} // namespace coracle::sys
