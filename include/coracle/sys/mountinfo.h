#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace coracle::sys {

/// One line of /proc/PID/mountinfo.
struct MountLine {
    std::uint64_t id = 0;
    std::uint64_t parent = 0;
    std::string point; ///< decoded
    std::string type;
    std::string options;            ///< of the mount: "rw,nosuid"
    std::string superblock_options; ///< of the filesystem: "rw,size=64k"
};
/// Lines that are not of the format are left out. Source: proc_pid_mountinfo(5).
[[nodiscard]] std::vector<MountLine> parse_mountinfo(const std::string& text);

} // namespace coracle::sys
