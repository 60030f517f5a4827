#include "commands_private.h"

#include <CLI/CLI.hpp>

namespace coracle::cli {

namespace {

/// One line a step, those of a part below its heading, and why below what is not ok.
std::string make_text(const spec::PlanReport& report) {
    std::string text;
    std::string part;
    for (const spec::PlanStep& step : report.steps) {
        if (step.part != part) {
            part = step.part;
            text += part + "\n";
        }
        std::string outlook = name_of(step.outlook);
        outlook.resize(10, ' ');
        text += "  " + outlook + step.text + "\n";
        if (!step.why.empty()) {
            text += "            " + step.why + "\n";
        }
    }
    return text + "plan: " + name_of(outlook_of(report)) + "\n";
}

} // namespace

int print_plan(const container::Context& context, const spec::PlanReport& report, ReportForm form) {
    print(form == ReportForm::json ? spec::write_plan_report(report) : make_text(report));
    const spec::Outlook outlook = spec::outlook_of(report);
    const bool degraded = context.strict && outlook == spec::Outlook::degraded;
    return outlook == spec::Outlook::will_fail || degraded ? 1 : 0;
}

int run_plan(const container::Context& context, std::vector<std::string> arguments) {
    container::CreateOptions options;
    bool json = false;
    CLI::App app("Tell each step of run and how it would go on this host, and change nothing",
                 "plan");
    app.footer("Of a sandbox: coracle sandbox --plan [OPTIONS] -- COMMAND");
    app.add_option("-b,--bundle", options.bundle, "the bundle directory")->type_name("DIR");
    app.add_option("-f,--config", options.config, "the configuration's name in the bundle")
        ->type_name("FILE");
    app.add_flag("--json", json, "print a JSON document");
    app.add_option("NAME", options.id, "the id that the container would have");
    if (!parse_arguments(app, std::move(arguments))) {
        return 0;
    }
    return print_plan(context, container::plan_run(context, options),
                      json ? ReportForm::json : ReportForm::text);
}

} // namespace coracle::cli
