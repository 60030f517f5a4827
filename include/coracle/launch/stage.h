#pragma once

#include <cstdint>

namespace coracle::launch {

/// Where a process of the container's side is. It is the process's name while it is there
/// ("init:mounts"), so that even one that was killed tells it: /proc/PID/comm of a zombie.
enum class Stage : std::uint8_t {
    begin,
    join,
    id_map,
    unshare,
    session,
    cgroup,
    mounts,
    hooks,
    pivot,
    console,
    identity,
    gate,
    landlock,
    close,
    seccomp,
    execve,
};

[[nodiscard]] const char* name_of(Stage stage) noexcept;

} // namespace coracle::launch
