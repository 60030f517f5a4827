#pragma once

#include <cstdint>
#include <vector>

namespace coracle::host {

/// What the machine and the caller's privilege allow. Plain data: tests make it by hand.
struct Facts {
    std::uint32_t euid = 0;
    std::uint32_t egid = 0;
    /// euid 0 with CAP_SYS_ADMIN, CAP_SETUID and CAP_SETGID in the current user namespace.
    bool privileged = false;
    /// The current user namespace is the initial one.
    bool initial_user_namespace = true;
    /// setgroups(2) is allowed in the current user namespace.
    bool setgroups_allowed = true;
    /// CAP_SYS_RESOURCE in the initial user namespace.
    bool may_raise_limits = false;
    /// The caller's supplementary groups.
    std::vector<std::uint32_t> groups;
    /// The caller's bounding set, bit N = capability N.
    std::uint64_t bounding_capabilities = 0;
    /// Highest capability that the kernel knows.
    int last_capability = 0;
    /// Signals that the caller ignores, bit N - 1 = signal N.
    std::uint64_t ignored_signals = 0;
    std::int32_t oom_score_adj = 0;
};

} // namespace coracle::host
