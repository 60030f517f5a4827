#include "commands_private.h"

#include <CLI/CLI.hpp>

namespace coracle::cli {

namespace {

std::string indented(const char* label, const std::string& text) {
    return text.empty() ? "" : std::string("          ") + label + text + "\n";
}

/// One line a finding, and consequence and cure below what is not ok.
std::string make_text(const spec::DoctorReport& report) {
    std::string text;
    for (const spec::DoctorFinding& finding : report.findings) {
        std::string health = name_of(finding.health);
        health.resize(10, ' ');
        text += health + finding.name + (finding.needed ? " (needed)" : "") +
                (finding.found.empty() ? "" : ": " + finding.found) + "\n" +
                indented("", finding.consequence) + indented("cure: ", finding.cure);
    }
    for (const spec::PlanStep& step : report.steps) {
        std::string outlook = name_of(step.outlook);
        outlook.resize(10, ' ');
        text += outlook + step.part + ": " + step.text + "\n" + indented("", step.why);
    }
    return text + (is_well(report) ? "nothing that is needed is missing\n"
                                   : "something that is needed is missing\n");
}

} // namespace

int run_doctor(const container::Context& context, std::vector<std::string> arguments) {
    std::string bundle;
    bool json = false;
    CLI::App app(
        "Tell what this host gives containers of the caller, and what to do about the rest",
        "doctor");
    app.add_option("--for", bundle, "only what the configuration of this bundle needs")
        ->type_name("DIR");
    app.add_flag("--json", json, "print a JSON document");
    if (!parse_arguments(app, std::move(arguments))) {
        return 0;
    }
    spec::DoctorReport report = container::doctor(context, bundle);
    print(json ? spec::write_doctor_report(report) : make_text(report));
    return is_well(report) ? 0 : 1;
}

} // namespace coracle::cli
