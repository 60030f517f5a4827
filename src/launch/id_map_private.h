#pragma once

#include "coracle/plan/launch_plan.h"

#include <string>
#include <sys/types.h>
#include <vector>

namespace coracle::launch {

/// Writes setgroups, gid_map and uid_map of `pid`, or has the helpers write them.
/// Runs in: parent. Throws: system, naming the file, its content and the likely cure; denied,
/// quoting the helper. Source: user_namespaces(7), newuidmap(1).
void write_id_maps(const plan::IdMapPlan& plan, int proc_fd, pid_t pid);

/// "0 1000 1\n" for each mapping.
[[nodiscard]] std::string make_map_text(const std::vector<plan::IdMapping>& map);

} // namespace coracle::launch
