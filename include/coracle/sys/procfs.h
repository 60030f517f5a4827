#pragma once

#include "coracle/sys/fd.h"

#include <cstdint>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace coracle::sys {

/// The directory /proc of the host, O_PATH, after a check that it is procfs.
/// Throws: system; unsupported if /proc is not mounted.
[[nodiscard]] Fd open_proc();

/// What /proc/PID/stat says about a process.
struct ProcessStat {
    pid_t pid = 0;
    char state = '?';             ///< R, S, D, Z, X, ...
    std::uint64_t threads = 0;    ///< field 20
    std::uint64_t start_time = 0; ///< clock ticks since boot, field 22
    std::uint64_t cpu_time = 0;   ///< clock ticks it has run, fields 14 and 15
};
/// Nothing if there is no such process. Source: proc(5), proc_pid_stat(5).
/// Throws: system.
[[nodiscard]] std::optional<ProcessStat> find_process_stat(int proc_fd, pid_t pid);
/// The same by an open /proc/PID; nothing once the process has been reaped.
[[nodiscard]] std::optional<ProcessStat> find_stat_in(int process_directory);
/// The same from the file's text; nothing if it is not one.
[[nodiscard]] std::optional<ProcessStat> parse_process_stat(const std::string& text);

/// The pid of the process in its own pid namespace; `pid` itself if that cannot be told.
/// Source: proc_pid_status(5), NSpid.
[[nodiscard]] pid_t find_namespace_pid(int proc_fd, pid_t pid);

/// Whether the process handles or ignores the signal, or blocks it for 50 milliseconds of sleep, in
/// which this waits, for a second if it runs and ten if it is in vfork(2); true if that cannot be
/// told. Source: proc_pid_status(5), SigCgt, SigIgn, SigBlk.
[[nodiscard]] bool is_signal_provided_for(int proc_fd, pid_t pid, int signal);

/// The number after `key` in /proc/self/fdinfo of `fd`; nothing if there is none.
/// Source: proc_pid_fdinfo(5).
[[nodiscard]] std::optional<std::uint64_t> find_in_fdinfo(int fd, const std::string& key) noexcept;
/// The clock ticks by which this process's time namespace shows the start of a process later than
/// the initial one does: 0 there. Throws: system. Source: time_namespaces(7).
[[nodiscard]] std::int64_t find_boot_time_offset(int proc_fd);
/// The same from the text of /proc/self/timens_offsets; 0 if it is not one.
[[nodiscard]] std::int64_t parse_boot_time_offset(const std::string& text, std::int64_t tick_rate);

/// /proc/sys/kernel/random/boot_id, without the newline; read once in this process's life, since it
/// is the same for the machine's. Throws: system.
[[nodiscard]] const std::string& read_boot_id(int proc_fd);

/// The cgroup v2 path of a process, as this process's cgroup namespace shows it; "/" if it has
/// none. `process` is a pid, or "self". Throws: system. Source: cgroups(7), /proc/PID/cgroup.
[[nodiscard]] std::string read_cgroup_path(int proc_fd, const std::string& process);
/// The same from the file's text.
[[nodiscard]] std::string parse_cgroup_path(const std::string& text);

/// "PID/NAME", a path below /proc.
[[nodiscard]] std::string proc_path(pid_t pid, const char* name);

/// The children of this process, which has one thread; none if the kernel was built without the
/// file. Throws: system. Source: /proc/PID/task/TID/children, CONFIG_PROC_CHILDREN.
[[nodiscard]] std::vector<pid_t> find_children();

/// The number of threads of this process. Throws: system.
[[nodiscard]] int thread_count(int proc_fd);

} // namespace coracle::sys
