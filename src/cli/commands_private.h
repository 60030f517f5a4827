#pragma once

#include "coracle/container/operations.h"

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace coracle::cli {

/// One verb: its options are registered only when it is the one asked for.
struct Command {
    const char* name;
    const char* summary;
    /// Parses the arguments after the verb and does it. Returns the exit code.
    int (*run)(const container::Context& context, std::vector<std::string> arguments);
    /// Of an error that is not the command line's, and of one that is.
    int failure_code = 1;
    int usage_code = 2;
    /// 127 for a program that is not found, 126 for one that cannot be executed, as env(1).
    bool tells_program = false;
};

[[nodiscard]] const std::vector<Command>& commands();

int run_create(const container::Context& context, std::vector<std::string> arguments);
int run_run(const container::Context& context, std::vector<std::string> arguments);
int run_plan(const container::Context& context, std::vector<std::string> arguments);
int run_exec(const container::Context& context, std::vector<std::string> arguments);
int run_start(const container::Context& context, std::vector<std::string> arguments);
int run_state(const container::Context& context, std::vector<std::string> arguments);
int run_inspect(const container::Context& context, std::vector<std::string> arguments);
int run_wait(const container::Context& context, std::vector<std::string> arguments);
int run_kill(const container::Context& context, std::vector<std::string> arguments);
int run_delete(const container::Context& context, std::vector<std::string> arguments);
int run_pause(const container::Context& context, std::vector<std::string> arguments);
int run_resume(const container::Context& context, std::vector<std::string> arguments);
int run_ps(const container::Context& context, std::vector<std::string> arguments);
int run_events(const container::Context& context, std::vector<std::string> arguments);
int run_update(const container::Context& context, std::vector<std::string> arguments);
int run_sandbox(const container::Context& context, std::vector<std::string> arguments);
int run_profile(const container::Context& context, std::vector<std::string> arguments);
int run_list(const container::Context& context, std::vector<std::string> arguments);
int run_spec(const container::Context& context, std::vector<std::string> arguments);
int run_seccomp(const container::Context& context, std::vector<std::string> arguments);
int run_explain(const container::Context& context, std::vector<std::string> arguments);
int run_doctor(const container::Context& context, std::vector<std::string> arguments);
int run_features(const container::Context& context, std::vector<std::string> arguments);

/// Parses `arguments` with `app`. False if help was asked for and printed: nothing is to be done.
/// Throws: usage.
[[nodiscard]] bool parse_arguments(CLI::App& app, std::vector<std::string> arguments);

enum class ReportForm { text, json };
/// Prints it. Returns the exit code of `plan`: 1 if a step will fail, or with --strict is degraded.
[[nodiscard]] int print_plan(const container::Context& context, const spec::PlanReport& report,
                             ReportForm form);

/// Writes to standard output, whole. Throws: system.
void print(const std::string& text);

} // namespace coracle::cli
