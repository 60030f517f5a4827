#pragma once

namespace coracle::cli {

/// The whole command line: parses it, runs the verb, prints what it prints. Returns the exit code;
/// an error is written once, to the log and standard error.
/// Runs in: parent.
[[nodiscard]] int run_app(int argc, char** argv);

} // namespace coracle::cli
