#include "coracle/base/text.h"
#include "coracle/plan/make_launch_plan.h"
#include "describe_private.h"

#include <array>
#include <string_view>

namespace coracle::plan {

namespace {

using spec::Outlook;
using spec::PlanStep;

/// Where in the text of a plan a member of the configuration is.
struct Place {
    std::string_view member; ///< what a degradation's `what` starts with
    std::string_view part;
    std::string_view text; ///< what the step starts with; empty: the first of its part
};

constexpr std::array<Place, 16> places{{
    {"/process/capabilities/bounding", "capabilities", "bounding:"},
    {"/process/capabilities/effective", "capabilities", "effective:"},
    {"/process/capabilities/inheritable", "capabilities", "inheritable:"},
    {"/process/capabilities/permitted", "capabilities", "permitted:"},
    {"/process/capabilities/ambient", "capabilities", "ambient:"},
    {"/process/oomScoreAdj", "process", "oom_score_adj:"},
    {"/process/user", "process", "user:"},
    {"/process/apparmorProfile", "process", "AppArmor:"},
    {"/process/selinuxLabel", "process", "SELinux:"},
    {"/linux/resources", "cgroup", ""},
    {"/linux/cgroupsPath", "cgroup", ""},
    {"--systemd-cgroup", "cgroup", ""},
    {"/annotations/org.systemd.property.", "cgroup", ""},
    {"/linux/uidMappings", "id map", ""},
    {"/linux/seccomp", "seccomp", ""},
    {"/linux/intelRdt", "resctrl", ""},
}};

PlanStep* find_step(std::vector<PlanStep>& steps, std::string_view part, std::string_view text) {
    for (PlanStep& step : steps) {
        if (step.part == part && step.text.starts_with(text)) {
            return &step;
        }
    }
    return nullptr;
}

PlanStep* find_step(std::vector<PlanStep>& steps, const Degradation& entry) {
    for (const Place& place : places) {
        if (entry.what.starts_with(place.member)) {
            return find_step(steps, place.part, place.text);
        }
    }
    if (entry.what.starts_with("mounts[")) {
        return find_step(steps, "mounts", entry.what.substr(0, entry.what.find(']') + 1));
    }
    if (entry.what.starts_with("/linux/devices/")) { // the sentence begins with the path
        return find_step(steps, "devices", quote(entry.why.substr(0, entry.why.find(' '))));
    }
    return nullptr;
}

std::vector<PlanStep> split_into_steps(const std::string& text) {
    std::vector<PlanStep> steps;
    std::string part;
    for (std::string_view line : split(text, '\n')) {
        bool below = line.starts_with("  ");
        if (!below) {
            part = line.substr(0, line.find(':'));
        }
        if (part == "degradations") {
            break;
        }
        std::string_view rest = below ? line.substr(2) : line.substr(part.size());
        rest.remove_prefix(below ? 0 : std::min<std::size_t>(2, rest.size())); // ": "
        if (!rest.empty()) {
            steps.push_back({part, std::string(rest), Outlook::ok, ""});
        }
    }
    return steps;
}

} // namespace

std::vector<PlanStep> make_steps(const LaunchPlan& plan) {
    std::vector<PlanStep> steps = split_into_steps(describe(plan));
    for (const Degradation& entry : plan.degradations) {
        PlanStep* step = find_step(steps, entry);
        if (step == nullptr) {
            steps.push_back({"configuration", entry.what, Outlook::degraded, entry.why});
            continue;
        }
        step->outlook = Outlook::degraded;
        step->why += (step->why.empty() ? "" : "; ") + entry.what + ": " + entry.why;
    }
    return steps;
}

} // namespace coracle::plan
