#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace coracle::spec {

/// The SECCOMP_RET_* value of "SCMP_ACT_*", without its data part; nothing if unknown.
/// Source: runtime-spec config-linux.md#seccomp; seccomp(2).
[[nodiscard]] std::optional<std::uint32_t> find_seccomp_action(std::string_view name) noexcept;
/// Whether the action's low 16 bits are an errno chosen by errnoRet (ERRNO and TRACE).
[[nodiscard]] bool seccomp_action_takes_errno(std::uint32_t action) noexcept;
/// The AUDIT_ARCH_* value of "SCMP_ARCH_*"; nothing if unknown.
[[nodiscard]] std::optional<std::uint32_t>
find_seccomp_architecture(std::string_view name) noexcept;

/// The names known, in the order `features` prints them.
[[nodiscard]] std::vector<std::string_view> seccomp_actions();
[[nodiscard]] std::vector<std::string_view> seccomp_operators();
[[nodiscard]] std::vector<std::string_view> seccomp_architectures();
[[nodiscard]] std::vector<std::string_view> seccomp_flags();

} // namespace coracle::spec
