#pragma once

#include "coracle/sys/fd.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <sys/stat.h>

namespace coracle::sys {

/// Opens `path` relative to `dir_fd` (AT_FDCWD allowed), O_CLOEXEC added.
/// For paths of the host, never for paths in a container's rootfs: rooted_path.h.
/// Throws: system, naming the path. Source: openat(2).
[[nodiscard]] Fd open_at(int dir_fd, const std::string& path, int flags, mode_t mode = 0);
/// The same, or the errno: 0 and `result` set on success.
[[nodiscard]] int try_open_at(int dir_fd, const std::string& path, int flags, mode_t mode,
                              Fd& result) noexcept;

/// All of a file from its current offset. Throws: system; invalid_config if there are more than
/// `limit` bytes. `name` is for messages.
[[nodiscard]] std::string read_all(int fd, std::size_t limit, const std::string& name);

/// The content of a regular file opened O_NONBLOCK|O_NOFOLLOW: a FIFO, device or symbolic link in
/// its place is an error and never blocks. Throws: system, invalid_config.
[[nodiscard]] std::string read_regular_file(int dir_fd, const std::string& path, std::size_t limit);

/// Writes all of `data`. Throws: system, naming `name`.
void write_all(int fd, std::string_view data, const std::string& name);
/// Closes a file that was written: some file systems tell only then that it has no room.
/// Throws: system. Source: close(2), NOTES.
void close_written(Fd fd, const std::string& name);

/// Copies `size` bytes at `offset` of one file to the current offset of another inside the kernel.
/// False, with nothing written, if the kernel does not do that. Throws: system if it stops midway.
/// Source: sendfile(2).
[[nodiscard]] bool try_copy_range(int from, off_t offset, std::size_t size, int to);

/// Writes a whole small file of /proc or /sys with one write(2). Throws: system, naming the path.
void write_file(int dir_fd, const std::string& path, std::string_view data);
/// The same, or the errno.
[[nodiscard]] int try_write_file(int dir_fd, const std::string& path,
                                 std::string_view data) noexcept;

/// Gives `name` in the directory the name `other`, in place of what has that. Throws: system.
void rename_file(int dir_fd, const std::string& name, const std::string& other);

/// Makes `name` in the directory hold `data`, by a temporary `temporary` beside it and rename(2):
/// a reader sees the old or the new content, never a part. Throws: system.
void replace_file(int dir_fd, const std::string& name, const std::string& temporary,
                  std::string_view data, mode_t mode);

/// The first half of it: `temporary` holds what is to become `name`. Throws: system.
void stage_file(int dir_fd, const std::string& name, const std::string& temporary,
                std::string_view data, mode_t mode);
/// The second, for a file that is there: the two are exchanged, `temporary` is the old one or
/// nothing. ext4 writes a file to disk before it lets it take the place of another by rename(2),
/// which is the way where there is no exchange. Throws: system. Source: renameat2(2),
/// RENAME_EXCHANGE; ext4(5), auto_da_alloc.
void exchange_file(int dir_fd, const std::string& name, const std::string& temporary);

/// The same by a file that has no name before it is whole, so that nothing is left of it if this
/// process is killed; between an old file and the new one there may be none. False, with nothing
/// done, where that is not possible. Throws: system. Source: open(2), O_TMPFILE.
[[nodiscard]] bool try_place_file(int dir_fd, const std::string& name, std::string_view data,
                                  mode_t mode);

/// 0 if this process, by its effective ids, may execute the file; or the errno.
/// Source: faccessat2(2), access(2) where that is refused.
[[nodiscard]] int try_execute_access(const std::string& path) noexcept;

/// Whether this process, by its effective ids, may write to the file, or make entries in the
/// directory. Source: faccessat(2).
[[nodiscard]] bool may_write(const std::string& path) noexcept;

/// fstat(2). Throws: system.
[[nodiscard]] struct stat stat_of(int fd, const std::string& name);
/// Whether an O_PATH fd is of a symbolic link itself. Throws: system.
[[nodiscard]] bool is_symlink(int fd);
/// Whether two fds are of the same file. Throws: system.
[[nodiscard]] bool is_same_file(int first, int second);
/// fstatat(2) without following a symbolic link; nothing if there is no such entry.
/// Throws: system.
[[nodiscard]] std::optional<struct stat> find_stat(int dir_fd, const std::string& path);

/// The target of a symbolic link, which is `dir_fd` itself if `path` is "". Throws: system.
[[nodiscard]] std::string read_link(int dir_fd, const std::string& path);

/// Makes a directory. Throws: system. try_: the errno.
[[nodiscard]] int try_make_directory(int dir_fd, const std::string& path, mode_t mode) noexcept;
/// symlinkat(2). The errno.
[[nodiscard]] int try_make_symlink(int dir_fd, const std::string& path,
                                   const std::string& target) noexcept;
/// unlinkat(2); `flags` is 0 or AT_REMOVEDIR. The errno, ENOENT included.
[[nodiscard]] int try_unlink(int dir_fd, const std::string& path, int flags) noexcept;

/// The absolute path of the current directory. Throws: system; an unreachable one is ENOENT.
[[nodiscard]] std::string current_directory();

/// Makes `uid` the owner of an entry of the directory, without following a symbolic link, or with
/// "" of the directory itself: 0, or the errno. Source: fchownat(2).
[[nodiscard]] int try_change_owner(int dir_fd, const std::string& name, std::uint32_t uid) noexcept;
/// Makes `uid` the owner of an open file, if that is possible.
void try_give_to(int fd, std::uint32_t uid) noexcept;

/// An anonymous file in memory, close-on-exec, sealable, that may be executed: 0 and `result`, or
/// the errno; EACCES: vm.memfd_noexec=2 forbids it.
/// Source: memfd_create(2); MFD_EXEC from Linux 6.3.
[[nodiscard]] int try_make_memory_file(const std::string& name, Fd& result) noexcept;
/// A file that has no name and never gets one, close-on-exec, open for reading and writing, on a
/// filesystem of the host from which programs may be executed. Throws: unsupported if there is
/// none. Source: open(2), O_TMPFILE with O_EXCL.
[[nodiscard]] Fd make_nameless_file();
/// The same file opened once more, for reading only. Throws: system.
[[nodiscard]] Fd reopen_readonly(int fd);
/// No one can write, grow, shrink or unseal the file from here on. Throws: system.
void seal(int fd);

} // namespace coracle::sys
