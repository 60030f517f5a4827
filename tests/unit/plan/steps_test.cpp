#include "coracle/plan/make_launch_plan.h"
#include "support/catch.h"

using namespace coracle;

namespace {

const spec::PlanStep* find(const std::vector<spec::PlanStep>& steps, const std::string& part,
                           const std::string& text) {
    for (const spec::PlanStep& step : steps) {
        if (step.part == part && step.text.starts_with(text)) {
            return &step;
        }
    }
    return nullptr;
}

} // namespace

TEST_CASE("plan steps: a line of the description is a step of its part", "[plan]") {
    plan::LaunchPlan plan;
    plan.id = "c1";
    plan.namespaces = {{NamespaceKind::pid, ""}};
    plan.init.process.args = {"/bin/x\ndegradations:"};
    std::vector<spec::PlanStep> steps = plan::make_steps(plan);
    CHECK(find(steps, "container", "c1") != nullptr);
    CHECK(find(steps, "namespaces", "pid: new") != nullptr);
    CHECK(find(steps, "process", "args: \"/bin/x\\ndegradations:\"") != nullptr);
    CHECK(find(steps, "capabilities", "bounding: none") != nullptr);
    CHECK(find(steps, "degradations", "") == nullptr);
}

TEST_CASE("plan steps: a degradation is with the step that it belongs to", "[plan]") {
    plan::LaunchPlan plan;
    plan.degradations = {{"/process/capabilities/ambient", "left out"},
                         {"/process/capabilities/ambient", "unknown"},
                         {"/somewhere/else", "without effect"}};
    std::vector<spec::PlanStep> steps = plan::make_steps(plan);
    const spec::PlanStep* ambient = find(steps, "capabilities", "ambient:");
    REQUIRE(ambient != nullptr);
    CHECK(ambient->outlook == spec::Outlook::degraded);
    CHECK(ambient->why == "/process/capabilities/ambient: left out; "
                          "/process/capabilities/ambient: unknown");
    CHECK(find(steps, "capabilities", "bounding:")->outlook == spec::Outlook::ok);
    const spec::PlanStep* other = find(steps, "configuration", "/somewhere/else");
    REQUIRE(other != nullptr);
    CHECK(other->outlook == spec::Outlook::degraded);
}
