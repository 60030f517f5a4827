#pragma once

#include "coracle/plan/launch_plan.h"

#include <cstdint>
#include <string>
#include <vector>

namespace coracle::security {

/// The classic BPF program for `seccomp`: an array of struct sock_filter as seccomp(2) takes it.
/// System calls that an architecture does not have are left out. Runs in: parent (libseccomp).
/// Throws: invalid_config for a contradiction, naming the rule; system if libseccomp fails.
/// Source: seccomp_rule_add(3), seccomp_export_bpf(3).
[[nodiscard]] std::vector<std::uint8_t> compile_seccomp(const plan::SeccompPlan& seccomp);

/// "2.5.4", of the library linked.
[[nodiscard]] std::string libseccomp_version();

} // namespace coracle::security
