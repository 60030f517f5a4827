#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace coracle::spec {

/// What the `options` of one mount mean.
struct MountOptions {
    std::uint64_t set_attributes = 0;   ///< MOUNT_ATTR_* to set on this mount
    std::uint64_t clear_attributes = 0; ///< MOUNT_ATTR_* to clear on this mount
    std::uint64_t recursive_set = 0;    ///< the same for the whole tree ("rro", "rnosuid", ...)
    std::uint64_t recursive_clear = 0;
    std::uint64_t superblock_flags = 0; ///< MS_SYNCHRONOUS, MS_DIRSYNC, ... of mount(2) to set
    std::uint64_t superblock_clear = 0; ///< the same to clear: "async", "nolazytime", ...
    bool remount = false;
    bool bind = false;             ///< "bind" or "rbind"
    bool recursive_bind = false;   ///< "rbind"
    std::uint32_t propagation = 0; ///< MS_PRIVATE, MS_SLAVE, MS_SHARED, MS_UNBINDABLE; 0: not named
    bool propagation_recursive = false;
    bool copy_up = false;          ///< "tmpcopyup"
    bool copy_symlink = false;     ///< of a bind: a source that is a link is made anew
    bool bind_symlink = false;     ///< "src-nofollow"
    bool on_symlink = false;       ///< "dest-nofollow"
    std::string id_map;            ///< "idmap", "ridmap", or empty
    std::vector<std::string> data; ///< options for the filesystem itself, such as "mode=755"
};

/// The meaning of `options`, each of which may be several words with commas between; an unknown
/// word is filesystem data. A later word overrides an earlier one, as with mount(8).
/// Source: runtime-spec config.md#linux-mount-options; mount(2), mount_setattr(2).
[[nodiscard]] MountOptions parse_mount_options(const std::vector<std::string>& options);

/// Every option word that parse_mount_options knows, sorted: the `mountOptions` of `features`.
[[nodiscard]] std::vector<std::string_view> known_mount_options();

} // namespace coracle::spec
