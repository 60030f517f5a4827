#pragma once

#include "coracle/base/names.h"

#include <cstdint>
#include <string>
#include <vector>

namespace coracle::host {

/// Consecutive ids of the host.
struct IdRange {
    std::uint32_t first = 0;
    std::uint32_t count = 0;
    bool operator==(const IdRange&) const = default;
};

/// The ids that an unprivileged user may map beside the own ones. Source: subuid(5), subgid(5).
struct IdRanges {
    std::string user; ///< name of the caller; empty: not in the user database
    std::vector<IdRange> uids;
    std::vector<IdRange> gids;
    std::string newuidmap; ///< path of the helper; empty: not found
    std::string newgidmap;
    std::string search_path; ///< where the helpers were looked for
};

/// The security modules that give labels to processes.
struct SecurityModules {
    bool apparmor = false;
    std::string apparmor_label; ///< the caller's: "unconfined", "docker-default"
    bool selinux = false;
};

/// The kernel's Landlock. Source: landlock(7).
struct LandlockFacts {
    int abi = 0;         ///< its version; 0: there is none
    std::string problem; ///< why there is none
};

/// Whose systemd makes scopes for the caller.
enum class SystemdBus : std::uint8_t { none, user, system };

/// The caller's place among the cgroups.
struct CgroupFacts {
    std::string mount_point; ///< of cgroup2; empty: it is not mounted
    /// Cgroup v2 has every controller; else cgroup v1 has most of them.
    bool unified = false;
    std::string problem; ///< why there is no mount point, or no controllers
    std::string own;     ///< the caller's cgroup, "/user.slice/..."; below the mount point
    /// Where the caller may make cgroups: beside the own one, or in it; empty: nowhere.
    std::string home;
    SystemdBus bus = SystemdBus::none;
    std::string bus_path;    ///< of its socket
    std::string bus_problem; ///< why there is none, and the cure
};

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
    /// Looked up only where plan::needs_id_ranges says so.
    IdRanges id_ranges;
    /// Where resctrl is mounted; empty: nowhere. Looked up only where linux.intelRdt is there.
    std::string resctrl;
    /// Looked up unless cgroups are not wanted.
    CgroupFacts cgroup;
    /// Looked up only where plan::needs_security_modules says so.
    SecurityModules security_modules;
    /// Looked up only where plan::needs_landlock says so.
    LandlockFacts landlock;
};

/// A line of /proc/PID/uid_map: user_namespaces(7).
struct IdMapLine {
    std::uint32_t inside = 0;
    std::uint32_t outside = 0; ///< as the reader's user namespace shows it
    std::uint32_t count = 0;
    bool operator==(const IdMapLine&) const = default;
};

/// What is to be known of a living container before a process can join it. Plain data.
struct ContainerFacts {
    /// Those that the caller is not in, in the order of NamespaceKind.
    std::vector<NamespaceKind> foreign_namespaces;
    /// Of the container's user namespace, if that is foreign.
    std::vector<IdMapLine> uid_map;
    std::vector<IdMapLine> gid_map;
};

} // namespace coracle::host
