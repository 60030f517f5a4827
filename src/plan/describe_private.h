#pragma once

#include "coracle/plan/launch_plan.h"

#include <string>

/// The parts of describe, one file each.
namespace coracle::plan {

/// In double quotes, as JSON has it.
[[nodiscard]] std::string quote(const std::string& text);
/// Nothing without hooks.
[[nodiscard]] std::string describe_hooks(const LaunchPlan& plan);
void describe_cgroup(const CgroupPlan& cgroup, std::string& out);
void describe_process(const ProcessPlan& process, std::string& out);

} // namespace coracle::plan
