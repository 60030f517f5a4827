#include "coracle/spec/process_names.h"

#include <algorithm>
#include <array>

namespace coracle::spec {

namespace {

constexpr std::array<NamedValue, 7> policies{{
    {"SCHED_OTHER", 0},
    {"SCHED_FIFO", 1},
    {"SCHED_RR", 2},
    {"SCHED_BATCH", 3},
    {"SCHED_ISO", 4},
    {"SCHED_IDLE", 5},
    {"SCHED_DEADLINE", 6},
}};

constexpr std::array<NamedValue, 7> flags{{
    {"SCHED_FLAG_RESET_ON_FORK", 0x01},
    {"SCHED_FLAG_RECLAIM", 0x02},
    {"SCHED_FLAG_DL_OVERRUN", 0x04},
    {"SCHED_FLAG_KEEP_POLICY", 0x08},
    {"SCHED_FLAG_KEEP_PARAMS", 0x10},
    {"SCHED_FLAG_UTIL_CLAMP_MIN", 0x20},
    {"SCHED_FLAG_UTIL_CLAMP_MAX", 0x40},
}};

constexpr std::array<NamedValue, 3> io_classes{{
    {"IOPRIO_CLASS_RT", 1},
    {"IOPRIO_CLASS_BE", 2},
    {"IOPRIO_CLASS_IDLE", 3},
}};

constexpr std::array<NamedValue, 7> memory_modes{{
    {"MPOL_DEFAULT", 0},
    {"MPOL_PREFERRED", 1},
    {"MPOL_BIND", 2},
    {"MPOL_INTERLEAVE", 3},
    {"MPOL_LOCAL", 4},
    {"MPOL_PREFERRED_MANY", 5},
    {"MPOL_WEIGHTED_INTERLEAVE", 6},
}};

constexpr std::array<NamedValue, 3> memory_flags{{
    {"MPOL_F_NUMA_BALANCING", 1U << 13U},
    {"MPOL_F_RELATIVE_NODES", 1U << 14U},
    {"MPOL_F_STATIC_NODES", 1U << 15U},
}};

constexpr std::array<NamedValue, 2> domains{{
    {"LINUX", 0x0000},
    {"LINUX32", 0x0008},
}};

} // namespace

NameTable scheduler_policies() noexcept {
    return policies;
}

NameTable scheduler_flags() noexcept {
    return flags;
}

NameTable io_priority_classes() noexcept {
    return io_classes;
}

NameTable memory_policy_modes() noexcept {
    return memory_modes;
}

NameTable memory_policy_flags() noexcept {
    return memory_flags;
}

NameTable personality_domains() noexcept {
    return domains;
}

std::optional<std::uint32_t> find_value(NameTable table, std::string_view name) noexcept {
    const auto found = std::find_if(table.begin(), table.end(),
                                    [&](const NamedValue& entry) { return entry.name == name; });
    return found == table.end() ? std::nullopt : std::optional<std::uint32_t>(found->value);
}

std::string_view find_name(NameTable table, std::uint32_t value) noexcept {
    const auto found = std::find_if(table.begin(), table.end(),
                                    [&](const NamedValue& entry) { return entry.value == value; });
    return found == table.end() ? std::string_view() : found->name;
}

std::vector<std::string_view> names_of(NameTable table) {
    std::vector<std::string_view> names;
    for (const NamedValue& entry : table) {
        names.push_back(entry.name);
    }
    return names;
}

} // namespace coracle::spec
