#pragma once

#include "coracle/plan/launch_plan.h"
#include "coracle/sys/process.h"

#include <cstdint>
#include <string>
#include <vector>

/// What the container's process is before it executes its program.
namespace coracle::launch {

/// Adds HOME to the environment from the container's /etc/passwd ("/" if the uid is not there).
/// The file is hostile: it is opened only if regular and no link, read up to 1 MiB, and never
/// blocks. Runs in: init after pivot. Never throws for what the file holds.
void add_home(const plan::ProcessPlan& process, int root_fd, std::vector<std::string>& env);

/// Limits, owner of the standard streams, groups, ids, capabilities, no_new_privs, cwd, umask,
/// signals: the process is as the plan says, but for the filter. CAP_SYS_ADMIN stays effective if
/// the filter or Landlock needs it; execve takes it away. `dumpable` until then. What a joined user
/// namespace does not give is added to `degraded`. Runs in: init after pivot; executor. Throws:
/// system.
void set_up_process(const plan::ProcessPlan& process, sys::Dumpable dumpable,
                    std::vector<plan::Degradation>& degraded);

/// RLIMIT_NOFILE as the plan says; init opens nothing after it. Runs in: init, last.
void apply_final_rlimits(const plan::ProcessPlan& process);

/// The file to execute for args[0]: the path itself if it has a '/', else the first executable
/// regular file of that name in PATH of `env`. Runs in: init after set_up_process.
/// Throws: system with the words that managers look for ("executable file not found in $PATH").
[[nodiscard]] std::string find_executable(const std::string& program,
                                          const std::vector<std::string>& env);

} // namespace coracle::launch
