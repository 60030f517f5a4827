#pragma once

#include "coracle/plan/launch_plan.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace coracle::security {

/// The classic BPF program for `seccomp`: an array of struct sock_filter as seccomp(2) takes it.
/// System calls that an architecture does not have are left out. Runs in: parent (libseccomp).
/// Throws: invalid_config for a contradiction, naming the rule; system if libseccomp fails.
/// Source: seccomp_rule_add(3), seccomp_export_bpf(3).
[[nodiscard]] std::vector<std::uint8_t> compile_seccomp(const plan::SeccompPlan& seccomp);

/// A system call as a filter sees it. Source: struct seccomp_data, seccomp(2).
struct SystemCall {
    std::uint32_t architecture = 0; ///< AUDIT_ARCH_*
    std::uint32_t number = 0;
    std::array<std::uint64_t, 6> arguments{};
};
/// What the kernel answers with `program`, which compile_seccomp made: a SECCOMP_RET_* value.
[[nodiscard]] std::uint32_t answer_of(const std::vector<std::uint8_t>& program,
                                      const SystemCall& call);

/// The native call of that name; nothing if libseccomp knows none on this machine.
[[nodiscard]] std::optional<SystemCall> find_system_call(const std::string& name);
/// The name of a call, or its number and architecture as text where libseccomp knows none.
[[nodiscard]] std::string describe_system_call(const SystemCall& call);

/// "2.5.4", of the library linked.
[[nodiscard]] std::string libseccomp_version();

} // namespace coracle::security
