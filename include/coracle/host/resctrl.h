#pragma once

#include <string>

namespace coracle::host {

/// Where resctrl is mounted in this process's mount namespace; "" if it is not. `proc_fd` is an
/// O_PATH fd of /proc.
/// Runs in: parent, before any clone; parent of delete. Throws: system.
/// Source: Linux Documentation/filesystems/resctrl.rst.
[[nodiscard]] std::string find_resctrl(int proc_fd);

} // namespace coracle::host
