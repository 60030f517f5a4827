#pragma once

#include "coracle/sys/fd.h"

#include <string>
#include <sys/types.h>

/// Paths in a root file system that an attacker owns. Every function resolves below `root_fd` as
/// if it were "/", in one system call or on fds it holds: a symbolic link, however it is swapped
/// meanwhile, never leads outside.
/// Source: openat2(2), Linux >= 5.6: RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS.
namespace coracle::sys {

enum class Symlinks {
    follow, ///< inside the root
    refuse, ///< ELOOP if any component is one
};

/// Opens `path` below the root; O_CLOEXEC is added. 0 and `result`, or the errno.
/// EAGAIN of a concurrent rename is retried, 128 times at most.
/// Runs in: init before pivot and after.
[[nodiscard]] int try_open_in_root(int root_fd, const std::string& path, int flags,
                                   Symlinks symlinks, Fd& result) noexcept;

/// The same. Throws: system, naming the path.
[[nodiscard]] Fd open_in_root(int root_fd, const std::string& path, int flags,
                              Symlinks symlinks = Symlinks::follow);

/// Why `path` below the root was answered with EACCES, for the brackets behind an error: the
/// directory that may not be searched, its owner and mode. `base` is what the root is called. "" if
/// nothing is found, or for another errno. Runs in: anywhere, on the failure path only.
[[nodiscard]] std::string explain_in_root(int errnum, int root_fd, const std::string& path,
                                          const std::string& base);

enum class NodeKind { directory, file };

/// An O_PATH fd of the directory or file `path` below the root, made, with its missing parents, if
/// it is not there (directories 0755, files 0644, both less umask). A dangling symbolic link is
/// followed inside the root, and what it names is made.
/// Throws: system; denied if `path` climbs with ".." through something that does not exist.
[[nodiscard]] Fd make_in_root(int root_fd, const std::string& path, NodeKind kind);

/// The same, but a last component that is a symbolic link is what the fd is of.
[[nodiscard]] Fd make_unfollowed_in_root(int root_fd, const std::string& path, NodeKind kind);

/// The directory that holds the last component of `path` (made if missing), O_PATH, and that
/// component. For what must not follow a last symbolic link. Throws: as make_in_root.
struct Parent {
    Fd directory;
    std::string name;
};
[[nodiscard]] Parent open_parent_in_root(int root_fd, const std::string& path);

} // namespace coracle::sys
