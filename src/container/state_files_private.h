#pragma once

#include "coracle/sys/file.h"

#include <fcntl.h>

namespace coracle::container {

// Names in the directory of a container: container/state_dir.h.
inline constexpr const char* record_name = "record.json";
inline constexpr const char* notify_name = "notify.sock";

/// 0 with a directory that is no symbolic link, or an errno.
[[nodiscard]] inline int try_open_directory(int dir_fd, const std::string& path, sys::Fd& result) {
    return sys::try_open_at(dir_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, result);
}

} // namespace coracle::container
