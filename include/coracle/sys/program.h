#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace coracle::sys {

/// A program and what it gets. fds are borrowed.
struct ProgramCall {
    std::string path;
    std::vector<std::string> argv;                  ///< argv[0] included
    std::vector<std::string> environment;           ///< all of it
    std::string input;                              ///< what it reads from its standard input
    int directory = -1;                             ///< its working directory; -1: this process's
    int output = -1;                                ///< its standard output; -1: kept in the result
    int errors = -1;                                ///< its standard error; -1: kept in the result
    std::optional<std::chrono::milliseconds> limit; ///< it is killed after this
    /// Runs in: the child that becomes the program, before its streams are there; may throw system.
    std::function<void()> prepare;
};

/// How a program ended.
struct ProgramResult {
    int status = 0;         ///< wait status
    int exec_errnum = 0;    ///< not 0: it could not be executed
    bool timed_out = false; ///< killed at the limit, with its process group
    std::string output;     ///< what was kept, the last 64 KiB of it
};

/// Runs a program to its end, without a shell, in a session of its own, with default signals and no
/// fd but the three standard streams. What it leaves behind in the background goes on, and is not
/// waited for. Killed if this process dies.
/// Runs in: parent; init, before the filter is loaded. Throws: system.
[[nodiscard]] ProgramResult run_program(const ProgramCall& call);

/// The same for a program of the host: stdin empty, both output streams kept, environment only
/// PATH and LC_ALL=C. Runs in: parent, before or beside the intermediate. Throws: system.
[[nodiscard]] ProgramResult run_program(const std::string& path,
                                        const std::vector<std::string>& arguments,
                                        std::chrono::milliseconds limit);

/// Where PATH is searched for programs of the host: the caller's, or the usual one.
[[nodiscard]] std::string program_search_path();

/// The first executable regular file of that name in `search_path`; empty if there is none.
[[nodiscard]] std::string find_program(const std::string& name, const std::string& search_path);

/// The build id of this program in hexadecimal digits, which no other build of it has; empty if it
/// was linked without one. Source: dl_iterate_phdr(3), elf(5), ld(1) --build-id.
[[nodiscard]] std::string own_build_id();

} // namespace coracle::sys
