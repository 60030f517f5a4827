#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <optional>
#include <vector>

namespace coracle::security {

/// The filter of one architecture, to be joined with those of others.
struct ArchitectureFilter {
    std::uint32_t audit_arch = 0; ///< AUDIT_ARCH_*; x86-64 and x32 have the same one
    std::uint32_t first = 0;      ///< lowest number of the architecture: x32 sets bit 30
    std::uint32_t end = 0;        ///< one more than its last regular number
    /// Numbers above this one and below `end` are newer than the profile and answered with ENOSYS.
    std::optional<std::uint32_t> highest_known;
    std::vector<sock_filter> program;
};

/// One program that sends each system call to the filter of its architecture: the first of those
/// listed with its audit_arch whose `first` is not above its number, so x32 stands before x86-64.
/// What no filter takes gets `otherwise`, a SECCOMP_RET_* value.
/// Runs in: anywhere. Source: seccomp(2).
[[nodiscard]] std::vector<sock_filter> link_filters(const std::vector<ArchitectureFilter>& filters,
                                                    std::uint32_t otherwise);

/// Appends a program that is asked where `program` returns `otherwise`: there it goes on to it.
void append_layer(std::vector<sock_filter>& program, std::uint32_t otherwise,
                  const std::vector<sock_filter>& layer);

} // namespace coracle::security
