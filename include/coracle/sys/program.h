#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace coracle::sys {

/// How a program of the host ended.
struct ProgramResult {
    int status = 0;         ///< wait status
    bool timed_out = false; ///< killed at the deadline
    std::string output;     ///< stdout and stderr, 64 KiB at most
};

/// Runs a program of the host to its end: arguments without a shell, stdin empty, environment
/// only PATH and LC_ALL=C, default signals. Killed after `limit`. Exit status 127: not executed,
/// and `output` says why.
/// Runs in: parent, before or beside the intermediate; never after pivot. Throws: system.
[[nodiscard]] ProgramResult run_program(const std::string& path,
                                        const std::vector<std::string>& arguments,
                                        std::chrono::milliseconds limit);

/// Where PATH is searched for programs of the host: the caller's, or the usual one.
[[nodiscard]] std::string program_search_path();

/// The first executable regular file of that name in `search_path`; empty if there is none.
[[nodiscard]] std::string find_program(const std::string& name, const std::string& search_path);

} // namespace coracle::sys
