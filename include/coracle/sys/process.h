#pragma once

#include "coracle/sys/fd.h"

#include <chrono>
#include <csignal>
#include <cstdint>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace coracle::sys {

/// A clone of this process, as fork(2) makes it: 0 in the child. The caller must have one thread.
/// Throws: system. Source: clone(2).
[[nodiscard]] pid_t clone_process();

/// The same, born in the cgroup whose directory `cgroup` is an fd of, where the kernel allows that;
/// else in the caller's. Source: clone3(2), CLONE_INTO_CGROUP, Linux 5.7.
struct Clone {
    pid_t pid = 0; ///< 0 in the child
    bool is_in_cgroup = false;
};
[[nodiscard]] Clone clone_process_into(int cgroup);

/// The same with one table of fds for both, until one of them executes a program.
[[nodiscard]] pid_t clone_sharing_fds();

/// The same in a user namespace of its own, which has no maps yet.
[[nodiscard]] pid_t clone_into_user_namespace();

/// Starts `role(argument)` as a sibling of the caller (CLONE_PARENT), on this process's memory and
/// a stack of its own; returns its pid once it has executed another program or ended. Cheaper than
/// a copy of the page tables. The role must not return.
/// Throws: system. Source: clone(2): CLONE_VM, CLONE_VFORK, CLONE_PARENT.
[[nodiscard]] pid_t start_sibling(int (*role)(void*), void* argument);

/// The same as a child of the caller.
[[nodiscard]] pid_t start_child(int (*role)(void*), void* argument);

/// As clone_process, but as a sibling of the caller: CLONE_PARENT.
[[nodiscard]] pid_t clone_sibling();

/// A pidfd of a process that cannot have been reaped meanwhile, or is verified afterwards. Where
/// pidfd_open(2) is refused, what the functions below take in its place: the directory /proc/PID.
/// 0 and `result`, or the errno (ESRCH).
[[nodiscard]] int try_open_pidfd(pid_t pid, Fd& result) noexcept;
/// The fd itself if it is a pidfd, which poll(2) finds readable at the end of the process; else -1.
[[nodiscard]] int exit_fd_of(int pidfd) noexcept;
/// The errno, or 0. Source: pidfd_send_signal(2); kill(2) where it is refused.
[[nodiscard]] int try_send_signal(int pidfd, int signal) noexcept;
/// Whether the process has ended within `limit`; a zombie has ended. Throws: system.
[[nodiscard]] bool wait_for_exit(int pidfd, std::chrono::milliseconds limit);
/// How a process has ended: its wait status, if the kernel tells. A child is not reaped by this; of
/// another's child it is known once that one has reaped it.
/// Source: waitid(2), P_PIDFD; PIDFD_GET_INFO with PIDFD_INFO_EXIT, Linux >= 6.15.
[[nodiscard]] std::optional<int> find_exit_status(int pidfd) noexcept;

/// Reaps a child and returns its wait status. Throws: system.
[[nodiscard]] int wait_for_child(pid_t pid);
/// "exited with status 3" or "was killed by SIGSYS".
[[nodiscard]] std::string describe_wait_status(int status);
/// The status that a shell would give: N, or 128 + the signal.
[[nodiscard]] int exit_code_of(int status) noexcept;

/// SIGKILL, or `signal`, when the parent dies. Must be called again after each change of ids.
void set_parent_death_signal(int signal = SIGKILL);
void clear_parent_death_signal();
/// The name that ps shows, 15 bytes at most.
void set_process_name(const char* name) noexcept;
/// Whether the process may be inspected by others of the same user. Throws: system.
enum class Dumpable { no, yes };
void set_dumpable(Dumpable dumpable);
void set_no_new_privileges();
/// Capabilities stay permitted over a change of ids, until execve.
void keep_capabilities();
/// Adopts orphans below this process. Throws: system.
void become_subreaper();
/// Does nothing for that long, below a second, or until a signal. Source: nanosleep(2).
void pause_for(std::chrono::nanoseconds time) noexcept;
/// The session keyring of that name, found or made, so that its owner finds it again: 0, or the
/// errno. EEXIST: another user has one of that name, so it is a new one without a name. Source:
/// keyctl_join_session_keyring(3).
[[nodiscard]] int try_join_session_keyring(const std::string& name) noexcept;

/// fchdir(2). Throws: system.
void change_directory(int dir_fd);
/// Makes a directory this process's root and current directory. Throws: system.
void change_root(int dir_fd);

/// setresgid and setresuid with the same id thrice: 0, or the errno (EINVAL: not mapped).
[[nodiscard]] int try_set_gid(gid_t gid) noexcept;
[[nodiscard]] int try_set_uid(uid_t uid) noexcept;
/// The same. Throw: system, naming the id.
void set_gid(gid_t gid);
void set_uid(uid_t uid);

/// Becomes uid and gid 0 of the current user namespace, or `uid` and `gid` where those are not
/// mapped. Whether the uid is 0. Throws: system.
bool become_root_or(uid_t uid, gid_t gid);

/// What execve(2) takes: a pointer to each text, which must live on, and a null pointer.
[[nodiscard]] std::vector<char*> pointers_to(std::vector<std::string>& texts);

/// Executes the file behind `fd` with these arguments and no environment. Returns only by
/// throwing. Source: execveat(2).
[[noreturn]] void execute_fd(int fd, std::vector<std::string> arguments);

} // namespace coracle::sys
