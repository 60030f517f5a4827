#include "commands_private.h"
#include "coracle/base/error.h"
#include "coracle/base/names.h"
#include "coracle/base/text.h"

#include <CLI/CLI.hpp>
#include <csignal>

namespace coracle::cli {

int run_start(const container::Context& context, std::vector<std::string> arguments) {
    std::string id;
    CLI::App app("Execute the program of a created container", "start");
    app.add_option("ID", id, "the container's id")->required();
    if (parse_arguments(app, std::move(arguments))) {
        container::start(context, id);
    }
    return 0;
}

int run_state(const container::Context& context, std::vector<std::string> arguments) {
    std::string id;
    CLI::App app("Print a container's state as JSON", "state");
    app.add_option("ID", id, "the container's id")->required();
    if (parse_arguments(app, std::move(arguments))) {
        print(spec::write_state(container::state(context, id)));
    }
    return 0;
}

int run_wait(const container::Context& context, std::vector<std::string> arguments) {
    std::string id;
    CLI::App app("Wait until a container has stopped, and print its exit code, or \"unknown\"",
                 "wait");
    app.add_option("ID", id, "the container's id")->required();
    if (parse_arguments(app, std::move(arguments))) {
        std::optional<int> code = container::wait(context, id);
        print((code ? std::to_string(*code) : "unknown") + "\n");
    }
    return 0;
}

int run_kill(const container::Context& context, std::vector<std::string> arguments) {
    std::string id;
    std::string signal_text = "TERM";
    bool all = false;
    CLI::App app("Send a signal to a container's init", "kill");
    app.add_flag("-a,--all", all, "a container that is not running is no error");
    app.add_option("ID", id, "the container's id")->required();
    app.add_option("SIGNAL", signal_text, "number or name, with or without SIG (default TERM)");
    if (!parse_arguments(app, std::move(arguments))) {
        return 0;
    }
    // 0 only asks whether the container runs: kill(2).
    std::optional<int> signal = signal_text == "0" ? 0 : find_signal(signal_text);
    if (!signal) {
        throw_error(ErrorKind::usage, "unknown signal \"" + printable(signal_text) + "\"");
    }
    container::kill(context, id, *signal,
                    all ? container::KillScope::all : container::KillScope::init);
    return 0;
}

int run_delete(const container::Context& context, std::vector<std::string> arguments) {
    std::string id;
    bool force = false;
    CLI::App app("Delete a container", "delete");
    app.add_flag("-f,--force", force,
                 "kill it first if it runs; an unknown id is no error; clean what was left half "
                 "made");
    app.add_option("ID", id, "the container's id")->required();
    if (parse_arguments(app, std::move(arguments))) {
        container::remove(context, id, force ? container::Force::yes : container::Force::no);
    }
    return 0;
}

int run_spec(const container::Context& /*context*/, std::vector<std::string> arguments) {
    container::SpecOptions options;
    CLI::App app("Write a template configuration", "spec");
    app.add_option("-b,--bundle", options.directory, "the directory to write into")
        ->type_name("DIR");
    app.add_option("-f,--file", options.file, "the name of the file")->type_name("FILE");
    app.add_flag("--rootless", options.rootless,
                 "for the calling user, who is mapped to the container's root");
    if (parse_arguments(app, std::move(arguments))) {
        container::write_spec(options);
    }
    return 0;
}

int run_features(const container::Context& /*context*/, std::vector<std::string> arguments) {
    CLI::App app("Print what this build supports as JSON", "features");
    if (parse_arguments(app, std::move(arguments))) {
        print(container::features());
    }
    return 0;
}

} // namespace coracle::cli
