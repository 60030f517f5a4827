#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/sys/procfs.h"
#include "handover_private.h"
#include "plan_report_private.h"

#include <algorithm>

namespace coracle::container {

using spec::Outlook;
using spec::PlanStep;

void Forecast::mark(std::string_view part, const std::string& text, Outlook outlook,
                    const std::string& why) {
    const auto found = std::find_if(steps_.begin(), steps_.end(), [&](const PlanStep& step) {
        return step.part == part && step.text.starts_with(text);
    });
    if (found == steps_.end()) {
        steps_.push_back({std::string(part), text, outlook, why});
        return;
    }
    found->outlook = std::max(found->outlook, outlook);
    found->why += (found->why.empty() ? "" : "; ") + why;
}

spec::PlanReport make_plan_report(const Decision& decision, int proc_fd) {
    spec::PlanReport report;
    report.id = decision.plan.id;
    report.bundle = printable(decision.bundle.path);
    report.steps = plan::make_steps(decision.plan);
    Forecast forecast(report.steps);
    check_plan(decision, proc_fd, forecast);
    return report;
}

namespace {

void check_state(const Context& context, const std::string& id, Forecast& forecast) {
    const std::string step = "state directory";
    try {
        std::string path = state_root_path(context);
        std::optional<StateRoot> root = StateRoot::open(path, MissingRoot::is_empty);
        if (root && !id.empty() && ContainerDir::find(*root, id)) {
            forecast.mark("container", id, Outlook::will_fail,
                          "container with given ID already exists");
        }
    } catch (const Error& error) { // catch: what was to be found out
        forecast.mark("state", step, Outlook::will_fail, error.text());
    }
}

} // namespace

spec::PlanReport plan_run(const Context& context, const CreateOptions& options) {
    sys::Fd proc = sys::open_proc();
    CreateOptions named = options;
    named.id = options.id.empty() ? "plan" : options.id;
    Context lenient = context; // every step is shown, not the first that --strict refuses
    lenient.strict = false;
    try {
        Decision decision = decide(lenient, named, attended_run, proc.get());
        spec::PlanReport report = make_plan_report(decision, proc.get());
        Forecast forecast(report.steps);
        check_state(context, options.id, forecast);
        return report;
    } catch (const Error& error) { // catch: it is the answer
        if (error.kind() == ErrorKind::usage) {
            throw;
        }
        spec::PlanReport report{named.id, printable(options.bundle), {}};
        report.steps.push_back(
            {"configuration", printable(options.config), Outlook::will_fail, error.text()});
        return report;
    }
}

} // namespace coracle::container
