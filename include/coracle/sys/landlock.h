#pragma once

#include "coracle/sys/fd.h"

#include <cstdint>

/// The kernel's Landlock, by its numbers: linux/landlock.h of Debian 12 knows those of Linux 6.1.
/// Source: landlock(7), include/uapi/linux/landlock.h.
namespace coracle::sys {

/// The version of the ABI: 0 and `version`, or the errno. ENOSYS: the kernel is built without it;
/// EOPNOTSUPP: it is not enabled; EPERM: an outer container's filter refuses it.
[[nodiscard]] int try_get_landlock_version(int& version) noexcept;

/// What a ruleset denies unless a rule allows it: LANDLOCK_ACCESS_FS_*, LANDLOCK_ACCESS_NET_*,
/// LANDLOCK_SCOPE_*. The kernel refuses bits that it does not know.
struct LandlockHandled {
    std::uint64_t fs = 0;
    std::uint64_t net = 0;
    std::uint64_t scoped = 0;
};
/// A ruleset without rules, close-on-exec. Throws: system.
[[nodiscard]] Fd make_landlock_ruleset(const LandlockHandled& handled);

/// Allows `rights` beneath the directory or on the file whose O_PATH fd is `path`. The errno
/// (EINVAL: a file cannot have one of the rights), or 0.
[[nodiscard]] int try_allow_path(int ruleset, int path, std::uint64_t rights) noexcept;
/// Allows `rights` with the TCP port. The errno, or 0.
[[nodiscard]] int try_allow_port(int ruleset, std::uint16_t port, std::uint64_t rights) noexcept;

} // namespace coracle::sys
