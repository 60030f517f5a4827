#pragma once

#include "coracle/base/source_link.h"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

/// What init builds the container's root file system from.
namespace coracle::plan {

/// MOUNT_ATTR_* changes. Source: mount_setattr(2).
struct AttributeChange {
    std::uint64_t set = 0;
    std::uint64_t clear = 0;
    bool operator==(const AttributeChange&) const = default;
    [[nodiscard]] bool empty() const noexcept { return set == 0 && clear == 0; }
};

/// A new instance of a filesystem.
struct NewFilesystem {
    std::string type;
    std::string source;
    std::vector<std::string> data;      ///< "key=value" or "key"
    std::uint64_t superblock_flags = 0; ///< MS_* of mount(2): MS_RDONLY, MS_SYNCHRONOUS, ...
    bool copy_up = false;               ///< filled with what the destination had: "tmpcopyup"
};

/// A clone of an existing mount or tree, the source resolved in the host's root.
struct BindMount {
    std::string source;
    bool recursive = false;
    SourceLink link{};
    /// Stays in the peer group of the host's mount, so that what the container mounts in it is
    /// mounted on the host too.
    bool with_host_peers = false;
};

/// A change of what an earlier mount put at the destination. The step's attributes and propagation
/// are those of that mount; these are those of its filesystem.
struct Remount {
    std::vector<std::string> data;
    std::uint64_t superblock_flags = 0; ///< MS_* to set
    std::uint64_t superblock_clear = 0; ///< MS_* to clear
};

/// One mount of the config, in the config's order.
struct MountStep {
    std::string name; ///< for messages: "mounts[2]"
    std::string destination;
    std::variant<NewFilesystem, BindMount, Remount> what;
    AttributeChange attributes;           ///< of this mount alone
    AttributeChange recursive_attributes; ///< of the whole tree
    /// MS_PRIVATE, MS_SLAVE, MS_SHARED, MS_UNBINDABLE; 0 for a remount: as it was.
    std::uint32_t propagation = 0;
    bool propagation_recursive = false;
    /// Made read-only when everything else is done, since more is put into it.
    bool read_only_last = false;
    /// The destination must be a plain directory, reached without symbolic links (proc, sysfs).
    bool no_symlinks = false;
    /// The destination itself is what is mounted on, even if it is a symbolic link:
    /// "dest-nofollow".
    bool on_symlink = false;
    /// What it shows is that of the mounter's cgroup namespace (cgroup2).
    bool shows_cgroups = false;
    /// Taken when the kernel answers EPERM to the new filesystem: a different result, so it is
    /// reported as a degradation.
    std::optional<BindMount> fallback;
};

enum class DeviceMethod : std::uint8_t { make_node, bind_from_host };

struct DeviceStep {
    DeviceMethod method{};
    std::string path;
    std::uint32_t mode = 0; ///< S_IFCHR, S_IFBLK or S_IFIFO and permission bits
    std::uint32_t major = 0;
    std::uint32_t minor = 0;
    std::uint32_t uid = 0; ///< container ids
    std::uint32_t gid = 0;
    bool from_config = false; ///< else one of the default devices of the runtime-spec
};

struct SymlinkStep {
    std::string path;
    std::string target;
};

struct RootfsPlan {
    std::string path; ///< absolute, on the host
    bool readonly = false;
    std::uint32_t propagation = 0; ///< MS_* of linux.rootfsPropagation, MS_REC included; 0: private
    /// The root and every bind come from the parent as trees, in the plan's order.
    bool sources_given = false;
    bool pivot = true; ///< false: --no-pivot
    std::vector<MountStep> mounts;
    std::vector<DeviceStep> devices;
    std::vector<SymlinkStep> symlinks;
    std::vector<std::string> masked_paths;
    std::vector<std::string> readonly_paths;
};

} // namespace coracle::plan
