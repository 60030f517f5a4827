#pragma once

#include <functional>

namespace coracle::sys {

/// Calls `act` with an O_PATH fd of each mount below the one that `fd` is the root of, the deepest
/// first, until it gives an errno. Mounts that another covers are left out.
/// The errno, or 0; EAGAIN if one of them is not where /proc/self/mountinfo has it.
[[nodiscard]] int for_each_mount_below(int fd, const std::function<int(int)>& act);

} // namespace coracle::sys
