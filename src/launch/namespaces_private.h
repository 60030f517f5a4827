#pragma once

#include "coracle/plan/launch_plan.h"
#include "intermediate_private.h"

#include <sys/types.h>
#include <vector>

namespace coracle::launch {

/// The namespaces that the plan joins, opened and checked, each with its turn. One that the caller
/// is in already is left out if joining it would change nothing.
/// Runs in: parent. Throws: system; invalid_config for a file that is no such namespace; denied for
/// one whose joining would change the host.
[[nodiscard]] std::vector<OpenNamespace> open_namespaces(const plan::LaunchPlan& plan, int proc_fd);

/// The namespaces of those kinds of the process whose /proc/PID is `directory`, in the order of
/// joining. Runs in: parent of `exec`. Throws: system.
[[nodiscard]] std::vector<OpenNamespace>
open_namespaces_of(int directory, const std::vector<NamespaceKind>& kinds);

/// Writes the offsets of the time namespace that the children of `pid` will be in.
/// Runs in: parent. Throws: system, naming the clock. Source: time_namespaces(7).
void write_time_offsets(const std::vector<plan::TimeOffset>& offsets, int proc_fd, pid_t pid);

} // namespace coracle::launch
