#pragma once

#include "coracle/plan/launch_plan.h"
#include "coracle/sys/terminal.h"

#include <string>
#include <vector>

/// Keyring and terminal of init and of the executor.
namespace coracle::launch {

/// The session keyring of the container `id` is this process's: found by its name, or made. What
/// an outer container or an LSM refuses is added to `degraded`.
/// Runs in: init; executor. Throws: system. Source: keyctl_join_session_keyring(3).
void join_session_keyring(const std::string& id, std::vector<plan::Degradation>& degraded);

/// A new terminal of the devpts that is mounted at `pts_directory`, of the plan's size, given to
/// the payload's user. Runs in: init; executor. Throws: system, denied, invalid_config.
[[nodiscard]] sys::Pty open_terminal(int pts_directory, const plan::ProcessPlan& process);

} // namespace coracle::launch
