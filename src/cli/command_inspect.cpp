#include "commands_private.h"

#include <CLI/CLI.hpp>

namespace coracle::cli {

namespace {

/// One line each, and below what is not equal both sides and why.
std::string make_text(const spec::InspectReport& report) {
    std::string text = "container " + report.id + ", " + report.status + ", pid " +
                       std::to_string(report.pid) + "\n";
    for (const spec::InspectLine& line : report.lines) {
        std::string match = name_of(line.match);
        match.resize(12, ' ');
        text += match + line.name + ": " + (line.found.empty() ? "?" : line.found);
        if (line.match != spec::Match::equal) {
            text += line.asked.empty() ? "" : "\n            asked: " + line.asked;
            text += line.why.empty() ? "" : "\n            " + line.why;
        }
        text += "\n";
    }
    return text;
}

} // namespace

int run_inspect(const container::Context& context, std::vector<std::string> arguments) {
    constexpr int differs = 3;
    std::string id;
    bool json = false;
    CLI::App app("Compare what a living container really has with what was asked for", "inspect");
    app.add_flag("--json", json, "print a JSON document");
    app.add_option("ID", id, "the container's id")->required();
    if (!parse_arguments(app, std::move(arguments))) {
        return 0;
    }
    spec::InspectReport report = container::inspect(context, id);
    print(json ? spec::write_inspect_report(report) : make_text(report));
    spec::Match worst = spec::match_of(report);
    return worst == spec::Match::differs || (context.strict && worst == spec::Match::unreadable)
               ? differs
               : 0;
}

} // namespace coracle::cli
