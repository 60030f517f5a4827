#include "coracle/cli/app.h"

#include "commands_private.h"
#include "coracle/base/error.h"
#include "coracle/base/log.h"
#include "coracle/base/text.h"
#include "log_target_private.h"
#include "version.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cerrno>

namespace coracle::cli {

const std::vector<Command>& commands() {
    static const std::vector<Command> all{
        {"create", "create a container, which waits for start", run_create},
        {"plan", "tell how run would go here, step by step", run_plan},
        {"start", "execute the program of a created container", run_start},
        {"run", "create and start a container", run_run},
        // Its other codes are the program's.
        {"exec", "run one more process in a container", run_exec, 255, 255},
        {"state", "print a container's state", run_state},
        {"inspect", "compare what a container has with what was asked for", run_inspect},
        {"wait", "wait until a container has stopped", run_wait},
        {"kill", "send a signal to a container", run_kill},
        {"pause", "stop all processes of a container", run_pause},
        {"resume", "let them run again", run_resume},
        {"ps", "list the processes of a container", run_ps},
        {"events", "print what a container uses", run_events},
        {"update", "change the limits of a container", run_update},
        {"delete", "delete a container", run_delete},
        {"list", "list the containers", run_list},
        {"sandbox", "run a program with no bundle and no image", run_sandbox, 125, 125, true},
        {"profile", "list, show and check profiles of sandboxes", run_profile},
        {"spec", "write a template configuration", run_spec},
        {"seccomp", "list, show and test seccomp profiles", run_seccomp},
        {"explain", "tell what a seccomp filter does with a call", run_explain},
        {"doctor", "tell what this host lacks, and the cure", run_doctor},
        {"features", "print what this build supports", run_features},
    };
    return all;
}

namespace {

/// Verbs of other runtimes that this build does not have. Their --help fails too: podman and CRI-O
/// probe for `checkpoint` that way.
constexpr std::array<const char*, 3> missing_verbs{"checkpoint", "restore", "mounts"};

struct Globals {
    container::Context context;
    std::string log;
    std::string log_format = "text";
    std::string log_level;
    std::string rootless;
    bool systemd_cgroup = false;
    bool debug = false;
    bool version = false;
};

void add_globals(CLI::App& app, Globals& globals) {
    app.prefix_command(); // the verb and what follows it are not ours
    app.add_option("--root", globals.context.root, "state root")->type_name("DIR");
    app.add_option("--log", globals.log, "log file, appended to (default: standard error)")
        ->type_name("PATH");
    app.add_option("--log-format", globals.log_format, "text or json")
        ->check(CLI::IsMember({"text", "json"}));
    app.add_option("--log-level", globals.log_level, "debug, warning or error")
        ->check(CLI::IsMember({"debug", "info", "warning", "error"}));
    app.add_flag("--debug", globals.debug, "the same as --log-level debug");
    app.add_flag("--strict", globals.context.strict,
                 "what this host or privilege cannot give is an error, not a degradation");
    app.add_flag("--systemd-cgroup,-s", globals.systemd_cgroup,
                 "make the cgroup by systemd: --cgroup-manager=systemd");
    app.add_option("--cgroup-manager", globals.context.cgroup_manager,
                   "cgroupfs, systemd or disabled")
        ->check(CLI::IsMember({"cgroupfs", "systemd", "disabled"}));
    app.add_option("--rootless", globals.rootless,
                   "true: limits that are refused are reported and do not stop the container")
        ->check(CLI::IsMember({"true", "false", "auto"}));
    app.add_flag("-v,-V,--version", globals.version, "print the release and what is built in");
}

std::string make_help(const CLI::App& app) {
    std::string text = app.help();
    text += "Commands:\n";
    for (const Command& command : commands()) {
        std::string name = command.name;
        name.resize(12, ' ');
        text += "  " + name + command.summary + "\n";
    }
    return text + "\n`coracle COMMAND --help` tells the options of one. See coracle(1).\n";
}

/// Docker takes the text after the word "version": no other line may hold it.
std::string make_version() {
    return "coracle version " CORACLE_VERSION "\n"
           "commit: " CORACLE_COMMIT "\n"
           "spec: 1.3.0\n"
           "+SECCOMP\n";
}

[[noreturn]] void throw_unknown(const std::string& word) {
    if (word.starts_with('-')) {
        throw_error(ErrorKind::usage,
                    "unknown option " + printable(word) + " (see coracle --help)");
    }
    bool missing = std::any_of(missing_verbs.begin(), missing_verbs.end(),
                               [&](const char* verb) { return word == verb; });
    if (missing) {
        throw_error(ErrorKind::unsupported, "the command " + word + " is not supported yet");
    }
    throw_error(ErrorKind::usage, "unknown command " + printable(word) + " (see coracle --help)");
}

const Command& find_command(const std::string& verb) {
    for (const Command& command : commands()) {
        if (verb == command.name) {
            return command;
        }
    }
    throw_unknown(verb);
}

int exit_code_of(const Error& error, const Command* command) {
    bool usage = error.kind() == ErrorKind::usage;
    if (command == nullptr) {
        return usage ? 2 : 1;
    }
    if (command->tells_program && error.kind() == ErrorKind::not_executable) {
        return error.errnum() == ENOENT ? 127 : 126;
    }
    return usage ? command->usage_code : command->failure_code;
}

/// Nothing: help or the version was asked for and printed.
std::optional<std::vector<std::string>> parse_globals(Globals& globals, int argc, char** argv) {
    CLI::App app("A daemonless, rootless container runtime", "coracle");
    app.set_help_flag();
    bool help = false;
    app.add_flag("-h,--help", help, "print this help");
    add_globals(app, globals);
    std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
    (void)parse_arguments(app, std::move(arguments));
    std::vector<std::string> rest = app.remaining();
    bool wants_help = help || (!rest.empty() && (rest.front() == "help" || rest.front() == "h"));
    if (globals.version || wants_help) {
        print(globals.version ? make_version() : make_help(app));
        return std::nullopt;
    }
    if (rest.empty()) {
        throw_error(ErrorKind::usage, "no command given (see coracle --help)");
    }
    return rest;
}

} // namespace

int run_app(int argc, char** argv) {
    Globals globals;
    const Command* command = nullptr;
    try {
        container::prepare_process();
        std::optional<std::vector<std::string>> rest = parse_globals(globals, argc, argv);
        if (!rest) {
            return 0;
        }
        if (globals.systemd_cgroup && globals.context.cgroup_manager.empty()) {
            globals.context.cgroup_manager = "systemd";
        }
        globals.context.lenient_cgroup = globals.rootless == "true";
        open_log({globals.log, globals.log_format,
                  globals.debug ? std::string("debug") : globals.log_level});
        command = &find_command(rest->front());
        rest->erase(rest->begin());
        return command->run(globals.context, std::move(*rest));
    } catch (const Error& error) { // catch: the one place that prints an error
        log::error(error.text());
        return exit_code_of(error, command);
    }
}

} // namespace coracle::cli
