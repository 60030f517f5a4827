#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace coracle::host {

/// One device node of the host that a container's node may be bound from.
struct DeviceNode {
    bool exists = false;
    std::uint32_t major = 0;
    std::uint32_t minor = 0;
};

/// What the machine and the caller's privilege allow. Plain data: tests make it by hand.
struct Facts {
    std::uint32_t euid = 0;
    std::uint32_t egid = 0;
    /// euid 0 with CAP_SYS_ADMIN, CAP_SETUID and CAP_SETGID in the current user namespace.
    bool privileged = false;
    /// The current user namespace is the initial one.
    bool initial_user_namespace = true;
    /// The caller's supplementary groups, sorted.
    std::vector<std::uint32_t> groups;
    /// Hard limits of the caller, by RLIMIT_* number, for those the config sets.
    std::map<int, std::uint64_t> hard_limits;
    /// CAP_SYS_RESOURCE in the initial user namespace: hard limits may be raised.
    bool may_raise_limits = false;
    /// Capabilities of the caller's bounding set, one bit each.
    std::uint64_t bounding_capabilities = 0;
    /// Highest capability that the kernel knows.
    int last_capability = 0;
    /// The caller has no_new_privs already.
    bool no_new_privileges = false;
    std::int32_t oom_score_adj = 0;
};

} // namespace coracle::host
