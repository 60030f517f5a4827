#include "commands_private.h"
#include "coracle/base/duration.h"
#include "coracle/base/error.h"
#include "coracle/base/text.h"

#include <CLI/CLI.hpp>

namespace coracle::cli {

int run_events(const container::Context& context, std::vector<std::string> arguments) {
    std::string id;
    std::string interval = "5s";
    std::string format = "json";
    container::EventsOptions options;
    CLI::App app("Print what a container uses, and when it runs out of memory, until it stops",
                 "events");
    app.add_flag("--stats", options.once, "print the statistics once and end");
    app.add_option("--interval", interval, "time between statistics (default 5s)")
        ->type_name("DURATION");
    app.add_option("--format", format, "json, or openmetrics with --stats")
        ->check(CLI::IsMember({"json", "openmetrics"}));
    app.add_option("ID", id, "the container's id")->required();
    if (!parse_arguments(app, std::move(arguments))) {
        return 0;
    }
    options.openmetrics = format == "openmetrics";
    if (options.openmetrics && !options.once) {
        throw_error(ErrorKind::usage, "events: --format openmetrics is for --stats");
    }
    options.interval = parse_duration(interval, "--interval");
    container::events(context, id, options, [](const std::string& line) { print(line); });
    return 0;
}

} // namespace coracle::cli
