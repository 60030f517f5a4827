#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

/// The words of config.json about scheduling, memory and execution domain, with the kernel's
/// numbers.
namespace coracle::spec {

struct NamedValue {
    std::string_view name;
    std::uint32_t value;
};
using NameTable = std::span<const NamedValue>;

/// SCHED_OTHER, ... Source: sched(7), include/uapi/linux/sched.h.
[[nodiscard]] NameTable scheduler_policies() noexcept;
/// SCHED_FLAG_*. Source: sched_setattr(2), include/uapi/linux/sched.h.
[[nodiscard]] NameTable scheduler_flags() noexcept;
/// IOPRIO_CLASS_*. Source: ioprio_set(2).
[[nodiscard]] NameTable io_priority_classes() noexcept;
/// MPOL_*. Source: set_mempolicy(2), include/uapi/linux/mempolicy.h.
[[nodiscard]] NameTable memory_policy_modes() noexcept;
/// MPOL_F_*.
[[nodiscard]] NameTable memory_policy_flags() noexcept;
/// LINUX and LINUX32. Source: personality(2).
[[nodiscard]] NameTable personality_domains() noexcept;

[[nodiscard]] std::optional<std::uint32_t> find_value(NameTable table,
                                                      std::string_view name) noexcept;
/// The name of `value`, or "" if none has it.
[[nodiscard]] std::string_view find_name(NameTable table, std::uint32_t value) noexcept;
/// Every name, in the order of the table.
[[nodiscard]] std::vector<std::string_view> names_of(NameTable table);

} // namespace coracle::spec
