#pragma once

#include "coracle/spec/config.h"

#include <vector>

/// Rules on arguments, each an SCMP_ACT_ALLOW for a default of EPERM. No two of one call need an
/// order: every libseccomp reads them alike.
namespace coracle::sandbox {

/// clone without a new namespace, and clone3 answered with ENOSYS.
[[nodiscard]] std::vector<spec::SeccompSyscall> make_clone_rules();
/// The personalities that change nothing for the worse.
[[nodiscard]] std::vector<spec::SeccompSyscall> make_personality_rules();
/// socket of these families, AF_NETLINK without NETLINK_XFRM; socketcall answered with ENOSYS.
[[nodiscard]] std::vector<spec::SeccompSyscall> make_socket_rules(const std::vector<int>& families);
/// ioctl without TIOCSTI and TIOCLINUX.
[[nodiscard]] std::vector<spec::SeccompSyscall> make_ioctl_rules();

} // namespace coracle::sandbox
