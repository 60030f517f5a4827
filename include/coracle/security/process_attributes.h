#pragma once

#include "coracle/plan/launch_plan.h"

#include <sys/types.h>
#include <vector>

namespace coracle::security {

/// The calling process has the scheduling, I/O priority, memory policy and execution domain of the
/// plan; what the plan does not name stays. Runs in: init, with the privileges of the creator.
/// Throws: system, naming the member of config.json and, for EPERM and EINVAL, the cure.
/// Source: sched(7), ioprio_set(2), set_mempolicy(2), personality(2).
void apply_process_attributes(const plan::ProcessPlan& process);

/// The next program that the calling process executes gets the labels of the plan. `proc_fd` is a
/// procfs that nothing of the container can cover. Runs in: init, before the first mount.
/// Throws: system, naming the member and the label. Source: proc_pid_attr(5).
void apply_labels(const plan::ProcessPlan& process, int proc_fd);

/// The calling process has a core scheduling cookie of its own, or with `pid` that of the process.
/// What the host does not give is added to `degraded`. Runs in: init; joiner, before it joins.
/// Throws: system.
void make_core_cookie(std::vector<plan::Degradation>& degraded);
void share_core_cookie(pid_t pid, std::vector<plan::Degradation>& degraded);

} // namespace coracle::security
