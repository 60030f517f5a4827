#pragma once

#include <cstdint>
#include <string>
#include <vector>

/// What `plan`, `inspect`, `doctor` and `profile` have found. Every text is ready to be shown: what
/// a payload or a file of the host had a say in is escaped by base/text.h printable.
namespace coracle::spec {

enum class Outlook : std::uint8_t { ok, degraded, will_fail };
/// "ok", "degraded", "will fail"
[[nodiscard]] const char* name_of(Outlook outlook) noexcept;

struct PlanStep {
    std::string part; ///< "mounts"
    std::string text; ///< as the plan describes it
    Outlook outlook{};
    std::string why; ///< of what is not ok
};

struct PlanReport {
    std::string id;
    std::string bundle;
    std::vector<PlanStep> steps;
};
/// That of the worst step.
[[nodiscard]] Outlook outlook_of(const PlanReport& report) noexcept;
/// Indented by two blanks, newline at the end, as all of these.
[[nodiscard]] std::string write_plan_report(const PlanReport& report);

enum class Match : std::uint8_t { equal, unreadable, differs };
/// "equal", "unreadable", "differs"
[[nodiscard]] const char* name_of(Match match) noexcept;

struct InspectLine {
    std::string name;  ///< "capabilities effective"
    std::string asked; ///< empty: nothing
    std::string found;
    Match match{};
    std::string why; ///< of what is not equal
};

struct InspectReport {
    std::string id;
    std::int32_t pid = 0;
    std::string status;
    std::vector<InspectLine> lines;
};
/// That of the worst line.
[[nodiscard]] Match match_of(const InspectReport& report) noexcept;
[[nodiscard]] std::string write_inspect_report(const InspectReport& report);

enum class Health : std::uint8_t { ok, missing, broken };
/// "ok", "missing", "broken"
[[nodiscard]] const char* name_of(Health health) noexcept;

struct DoctorFinding {
    std::string name; ///< "controller cpu"
    Health health{};
    bool needed = false; ///< there is no other way
    std::string found;
    std::string consequence; ///< of what is not ok
    std::string cure;        ///< what to type or to change
};

struct DoctorReport {
    std::string bundle; ///< empty: what a default rootless container needs is "needed"
    std::vector<DoctorFinding> findings;
    std::vector<PlanStep> steps; ///< of the bundle's plan, those that are not ok
};
/// Whether nothing that is needed is missing or broken, and no step will fail.
[[nodiscard]] bool is_well(const DoctorReport& report) noexcept;
[[nodiscard]] std::string write_doctor_report(const DoctorReport& report);

struct ListedProfile {
    std::string name;
    std::string path;
    std::string description; ///< or why it cannot be used
    bool usable = false;
};
[[nodiscard]] std::string write_profile_list(const std::vector<ListedProfile>& profiles);

} // namespace coracle::spec
