#pragma once

#include "coracle/base/source_link.h"
#include "coracle/sys/fd.h"

#include <cstdint>
#include <string>
#include <vector>

/// The mount API by file descriptor. Source: fsopen(2), open_tree(2), move_mount(2),
/// mount_setattr(2); Linux >= 5.2, mount_setattr >= 5.12. Where a part of it is refused, mount(2)
/// gives the same, until pivot.
namespace coracle::sys {

struct FilesystemRequest {
    std::string type;
    std::string source;
    std::vector<std::string> options;   ///< "key=value" or "flag"
    std::uint64_t superblock_flags = 0; ///< MS_* of mount(2) to set
    std::uint64_t attributes = 0;       ///< MOUNT_ATTR_* of the new mount
    std::uint64_t superblock_clear = 0; ///< MS_* of mount(2) to clear
};

/// A detached mount of a new filesystem instance: 0 and `result`, or the errno of the kernel, with
/// `detail` naming the step and what the kernel's log of that filesystem says.
/// Throws: system, where it is what mount(2) needs beside that fails.
[[nodiscard]] int try_make_filesystem(const FilesystemRequest& request, Fd& result,
                                      std::string& detail);

/// Changes the filesystem whose mount `mount_fd` is the root of, with the options and superblock
/// flags of `change`: 0, or the errno as above (EINVAL: not the root of a mount).
/// Source: fspick(2), fsconfig(2).
[[nodiscard]] int try_reconfigure(int mount_fd, const FilesystemRequest& change,
                                  std::string& detail);

/// Sets MS_I_VERSION beside the superblock flags that the filesystem was given, and clears every
/// attribute of the mount, which must be attached. The errno, or 0. Source: mount(2), MS_REMOUNT.
[[nodiscard]] int try_set_iversion(int mount_fd, std::uint64_t superblock_flags) noexcept;

enum class TreeDepth { single, recursive };

/// A detached clone of the mount (or tree of mounts) at `path`; `path` may be empty: `dir_fd`
/// itself, which may be a symbolic link. In `path` links are followed, so that it must be a path of
/// the host.
/// 0 and `result`, or the errno. Throws: as above.
[[nodiscard]] int try_clone_tree(int dir_fd, const std::string& path, TreeDepth depth, Fd& result);
/// The same of the source of a bind, a path of the host. With SourceLink::copy, `result` is an
/// O_PATH fd of the link if `path` is one, and nothing is cloned.
[[nodiscard]] int try_open_source(const std::string& path, TreeDepth depth, SourceLink link,
                                  Fd& result);
/// Throws: system, naming the path.
[[nodiscard]] Fd clone_tree(int dir_fd, const std::string& path, TreeDepth depth);

struct AttributeRequest {
    std::uint64_t set = 0;         ///< MOUNT_ATTR_*
    std::uint64_t clear = 0;       ///< MOUNT_ATTR_*
    std::uint64_t propagation = 0; ///< MS_PRIVATE, MS_SLAVE, MS_SHARED, MS_UNBINDABLE or 0
};

/// Changes the mount that `fd` is the root of, or its whole tree. The errno, or 0. Flags that a
/// more privileged user namespace locked stay set unless `clear` names them (EPERM). `place`
/// becomes the path below `fd` of the mount in the tree that could not be changed,
/// "/kernel/debug/tracing"; empty: the kernel does not tell, or it is `fd`'s. mount(2) needs each
/// mount of the tree to be reachable: EACCES if a directory above one may not be searched, EAGAIN
/// if one is moved meanwhile.
[[nodiscard]] int try_set_attributes(int fd, const AttributeRequest& request, TreeDepth depth,
                                     std::string& place);
/// Throws: system, for what the call above gave of the tree that is called `name`.
[[noreturn]] void throw_attributes_error(int errnum, int fd, const std::string& place,
                                         const std::string& name);
/// Both. Throws: system.
void set_attributes(int fd, const AttributeRequest& request, TreeDepth depth,
                    const std::string& name);
/// The same of the whole tree, except what mount(2) cannot reach: the paths below `fd` of the
/// mounts that keep their attributes. Throws: system.
[[nodiscard]] std::vector<std::string>
set_reachable_attributes(int fd, const AttributeRequest& request, const std::string& name);

/// Shows the files of the detached mount `fd`, or of its whole tree, with the owners that the user
/// namespace makes of theirs. The errno, or 0: EPERM without privilege over the filesystem, EINVAL
/// if it cannot be id-mapped. Source: mount_setattr(2), MOUNT_ATTR_IDMAP, Linux >= 5.12.
[[nodiscard]] int try_map_ids(int fd, int user_namespace, TreeDepth depth) noexcept;

/// Whether a clone of a mount can be detached, so that it can be given to another process.
[[nodiscard]] bool has_detached_mounts() noexcept;

/// Puts the detached tree on the place that `target_fd` (O_PATH) names. Throws: system.
void attach(int tree_fd, int target_fd, const std::string& name);

/// The id of the mount that an fd is on. Throws: system; unsupported if the kernel does not tell.
/// Source: statx(2), STATX_MNT_ID, Linux >= 5.8; proc_pid_fdinfo(5).
[[nodiscard]] std::uint64_t mount_id_of(int fd);

/// Whether an fd is the root of its mount. Throws: system. Source: statx(2), Linux >= 5.8.
[[nodiscard]] bool is_mount_root(int fd);

/// The f_type of an fd's filesystem. Throws: system. Source: fstatfs(2).
[[nodiscard]] long filesystem_magic_of(int fd, const std::string& name);

} // namespace coracle::sys
