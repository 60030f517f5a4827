#pragma once

#include "coracle/plan/launch_plan.h"
#include "intermediate_private.h"

#include <string>
#include <sys/types.h>
#include <vector>

namespace coracle::launch {

/// Writes setgroups, gid_map and uid_map of `pid`. Runs in: parent. Throws: system, naming the
/// file, its content and the likely cure. Source: user_namespaces(7).
void write_id_maps(const plan::IdMapPlan& plan, int proc_fd, pid_t pid);

/// "0 1000 1\n" for each mapping.
[[nodiscard]] std::string make_map_text(const std::vector<plan::IdMapping>& map);

/// The namespaces that the plan joins, opened and checked. Runs in: parent. Throws: system,
/// invalid_config.
[[nodiscard]] std::vector<OpenNamespace> open_namespaces(const plan::LaunchPlan& plan);

} // namespace coracle::launch
