#pragma once

#include <functional>
#include <string>
#include <vector>

namespace coracle::sys {

/// A mount that cannot be reached lies in a directory that the caller may not search.
enum class Unreachable { refused, left_out };

/// Places are paths below the top: "/kernel/debug/tracing".
struct TreeWalk {
    Unreachable unreachable = Unreachable::refused;
    std::vector<std::string> left_out;
    std::string failed; ///< the place of the mount that the errno is about; empty: of none
};

/// Calls `act` with an O_PATH fd of each mount below the one that `fd` is the root of, the deepest
/// first, until it gives an errno. Mounts that another covers are left out.
/// The errno, or 0; EAGAIN if one of them is not where /proc/self/mountinfo has it.
[[nodiscard]] int for_each_mount_below(int fd, const std::function<int(int)>& act, TreeWalk& walk);

} // namespace coracle::sys
