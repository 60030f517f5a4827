#pragma once

#include "coracle/sys/rooted_path.h"

namespace coracle::sys {

/// What try_open_in_root gives, without openat2(2): component by component, each opened in the
/// directory before it and never followed by the kernel. ".." goes back to the directory it came
/// from, after a check that this is still its parent. Differs from openat2(2) in what no root file
/// system needs: a symbolic link in procfs below a process is refused even where it is a plain
/// one, and fs.protected_symlinks does not apply.
/// 0 and `result`, or the errno; EAGAIN if something was moved meanwhile.
[[nodiscard]] int walk_in_root(int root_fd, const std::string& path, int flags, Symlinks symlinks,
                               Fd& result) noexcept;

} // namespace coracle::sys
