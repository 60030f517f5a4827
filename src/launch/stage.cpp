#include "coracle/launch/stage.h"

#include <array>

namespace coracle::launch {

const char* name_of(Stage stage) noexcept {
    constexpr std::array<const char*, 16> names{
        "begin", "join",    "id_map",   "unshare", "session",  "cgroup", "mounts",  "hooks",
        "pivot", "console", "identity", "gate",    "landlock", "close",  "seccomp", "execve"};
    return names[static_cast<std::size_t>(stage)];
}

} // namespace coracle::launch
