#pragma once

#include "coracle/base/names.h"
#include "coracle/sys/fd.h"

#include <cstdint>
#include <string>
#include <vector>

namespace coracle::sys {

/// Opens a namespace file and checks that it is one of `kind`.
/// Throws: system; invalid_config if it is another kind. Source: ioctl_ns(2), NS_GET_NSTYPE.
[[nodiscard]] Fd open_namespace(const std::string& path, NamespaceKind kind);

/// Whether the namespace belongs to the user namespace that this process is in; a user namespace
/// belongs to its parent. Source: ioctl_ns(2), NS_GET_USERNS.
[[nodiscard]] bool is_owned_by_current_user_namespace(int namespace_fd);

/// Whether this process is in that namespace. Throws: system.
[[nodiscard]] bool is_current_namespace(int namespace_fd, NamespaceKind kind);

/// The processes in a pid namespace and in those below it, ascending, as /proc at `proc_fd` numbers
/// them; without those that this process may not look at. Throws: system.
/// Source: ioctl_ns(2), NS_GET_PARENT; ptrace(2), PTRACE_MODE_READ.
[[nodiscard]] std::vector<int> find_processes_in(int proc_fd, int pid_namespace_fd);

/// Joins. A pid namespace is for children only. Throws: system, naming the kind. Source: setns(2).
void join_namespace(int namespace_fd, NamespaceKind kind);

/// Joins those of the CLONE_NEW* kinds in `clone_flags`: of the process behind a pidfd, or the one
/// namespace that `fd` is. Throws: system, naming the kinds. Source: setns(2), Linux >= 5.8.
void join_namespaces(int fd, std::uint64_t clone_flags);

/// Makes new namespaces of the CLONE_NEW* kinds in `clone_flags`.
/// Throws: system; host/restrictions.h tells why. Source: unshare(2).
void unshare_namespaces(std::uint64_t clone_flags);

/// Enters the time namespace that this process has made for its children; its offsets are final
/// from here on. `proc_fd` is of /proc. Throws: system. Source: time_namespaces(7), setns(2).
void enter_new_time_namespace(int proc_fd);

/// Brings the loopback device of this network namespace up. Throws: system.
void bring_loopback_up();

/// Throws: system. Source: sethostname(2).
void set_hostname(const std::string& name);
void set_domainname(const std::string& name);

} // namespace coracle::sys
