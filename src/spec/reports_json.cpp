#include "coracle/spec/reports.h"

#include "spec/json_writer_private.h"

#include <algorithm>
#include <array>

namespace coracle::spec {

namespace {

using json::Writer;

void write_step(Writer& writer, const PlanStep& step) {
    writer.begin_object();
    writer.key("part").string(step.part);
    writer.key("step").string(step.text);
    writer.key("outlook").string(name_of(step.outlook));
    if (!step.why.empty()) {
        writer.key("why").string(step.why);
    }
    writer.end_object();
}

void write_steps(Writer& writer, const std::vector<PlanStep>& steps) {
    writer.key("steps").begin_array();
    for (const PlanStep& step : steps) {
        write_step(writer, step);
    }
    writer.end_array();
}

} // namespace

const char* name_of(Outlook outlook) noexcept {
    constexpr std::array<const char*, 3> names{"ok", "degraded", "will fail"};
    return names.at(static_cast<std::size_t>(outlook));
}

Outlook outlook_of(const PlanReport& report) noexcept {
    Outlook worst = Outlook::ok;
    for (const PlanStep& step : report.steps) {
        worst = std::max(worst, step.outlook);
    }
    return worst;
}

std::string write_plan_report(const PlanReport& report) {
    Writer writer(json::Layout::two_blanks);
    writer.begin_object();
    writer.key("id").string(report.id);
    writer.key("bundle").string(report.bundle);
    writer.key("outlook").string(name_of(outlook_of(report)));
    write_steps(writer, report.steps);
    writer.end_object();
    return writer.finish();
}

std::string write_profile_list(const std::vector<ListedProfile>& profiles) {
    Writer writer(json::Layout::two_blanks);
    writer.begin_array();
    for (const ListedProfile& profile : profiles) {
        writer.begin_object();
        writer.key("name").string(profile.name);
        writer.key("path").string(profile.path);
        writer.key("usable").boolean(profile.usable);
        writer.key(profile.usable ? "description" : "why").string(profile.description);
        writer.end_object();
    }
    writer.end_array();
    return writer.finish();
}

const char* name_of(Match match) noexcept {
    constexpr std::array<const char*, 3> names{"equal", "unreadable", "differs"};
    return names.at(static_cast<std::size_t>(match));
}

Match match_of(const InspectReport& report) noexcept {
    Match worst = Match::equal;
    for (const InspectLine& line : report.lines) {
        worst = std::max(worst, line.match);
    }
    return worst;
}

std::string write_inspect_report(const InspectReport& report) {
    Writer writer(json::Layout::two_blanks);
    writer.begin_object();
    writer.key("id").string(report.id);
    writer.key("pid").integer(report.pid);
    writer.key("status").string(report.status);
    writer.key("match").string(name_of(match_of(report)));
    writer.key("lines").begin_array();
    for (const InspectLine& line : report.lines) {
        writer.begin_object();
        writer.key("name").string(line.name);
        if (!line.asked.empty()) {
            writer.key("asked").string(line.asked);
        }
        writer.key("found").string(line.found);
        writer.key("match").string(name_of(line.match));
        if (!line.why.empty()) {
            writer.key("why").string(line.why);
        }
        writer.end_object();
    }
    writer.end_array();
    writer.end_object();
    return writer.finish();
}

const char* name_of(Health health) noexcept {
    constexpr std::array<const char*, 3> names{"ok", "missing", "broken"};
    return names.at(static_cast<std::size_t>(health));
}

bool is_well(const DoctorReport& report) noexcept {
    bool healthy = std::none_of(
        report.findings.begin(), report.findings.end(),
        [](const DoctorFinding& entry) { return entry.needed && entry.health != Health::ok; });
    return healthy &&
           std::none_of(report.steps.begin(), report.steps.end(),
                        [](const PlanStep& step) { return step.outlook == Outlook::will_fail; });
}

std::string write_doctor_report(const DoctorReport& report) {
    Writer writer(json::Layout::two_blanks);
    writer.begin_object();
    if (!report.bundle.empty()) {
        writer.key("bundle").string(report.bundle);
    }
    writer.key("well").boolean(is_well(report));
    writer.key("findings").begin_array();
    for (const DoctorFinding& finding : report.findings) {
        writer.begin_object();
        writer.key("name").string(finding.name);
        writer.key("health").string(name_of(finding.health));
        writer.key("needed").boolean(finding.needed);
        writer.key("found").string(finding.found);
        if (finding.health != Health::ok) {
            writer.key("consequence").string(finding.consequence);
            writer.key("cure").string(finding.cure);
        }
        writer.end_object();
    }
    writer.end_array();
    write_steps(writer, report.steps);
    writer.end_object();
    return writer.finish();
}

} // namespace coracle::spec
