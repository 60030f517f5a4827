#pragma once

#include <cstdint>

namespace coracle {

/// What becomes of the source of a bind whose last component is a symbolic link.
enum class SourceLink : std::uint8_t {
    follow, ///< what it leads to on the host is bound
    bind,   ///< the link itself is bound: "src-nofollow"
    copy,   ///< the link is made anew at the destination, and nothing is mounted: "copy-symlink"
};

} // namespace coracle
