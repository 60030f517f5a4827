#pragma once

#include "coracle/sys/fd.h"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace coracle::cgroup {

/// The directory of a cgroup in cgroup2, by fd: what it does reaches this cgroup and those below
/// it, whatever becomes of the path.
/// Runs in: parent of any verb. Source: Linux Documentation/admin-guide/cgroup-v2.rst.
class Directory {
  public:
    /// `path` starts with '/' and is below `mount_point`; nothing if there is no such cgroup.
    /// Throws: system; denied if it leads elsewhere.
    [[nodiscard]] static std::optional<Directory> find(const std::string& mount_point,
                                                       const std::string& path);
    /// The same. Throws: system ENOENT too.
    [[nodiscard]] static Directory open(const std::string& mount_point, const std::string& path);

    [[nodiscard]] int fd() const noexcept { return fd_.get(); }
    /// Its inode, unique for as long as the host runs. Throws: system.
    [[nodiscard]] std::uint64_t id() const;
    /// For messages: the absolute path.
    [[nodiscard]] const std::string& name() const noexcept { return name_; }

    /// The text of a file; nothing if there is none. Throws: system.
    [[nodiscard]] std::optional<std::string> find_text(const std::string& file) const;
    /// A file with one number; nothing if there is none, or it holds "max". Throws: system.
    [[nodiscard]] std::optional<std::uint64_t> find_number(const std::string& file) const;
    /// Lines "KEY NUMBER". Throws: system.
    [[nodiscard]] std::map<std::string, std::uint64_t> read_keys(const std::string& file) const;
    /// One write(2) of `value`: 0, or the errno.
    [[nodiscard]] int try_write(const std::string& file, std::string_view value) const noexcept;

    /// The names of the cgroups directly below. Throws: system.
    [[nodiscard]] std::vector<std::string> children() const;
    /// That cgroup; nothing if it is gone.
    [[nodiscard]] std::optional<Directory> find_child(const std::string& child) const;
    /// The processes in it and below it, as this process's pid namespace numbers them, without
    /// those that it does not see. Throws: system.
    [[nodiscard]] std::vector<pid_t> processes() const;
    /// Whether a process is in it or below it; a zombie is none. Throws: system.
    [[nodiscard]] bool is_populated() const;
    [[nodiscard]] bool is_frozen() const;
    /// Whether freezing was asked for, whether or not it has come to be.
    [[nodiscard]] bool is_freezing() const;
    /// cgroup.events has become `key` = `value` within `limit`. Throws: system.
    [[nodiscard]] bool wait_for(const char* key, std::uint64_t value,
                                std::chrono::milliseconds limit) const;

  private:
    Directory(sys::Fd fd, std::string name) : fd_(std::move(fd)), name_(std::move(name)) {}
    void collect_processes(std::vector<pid_t>& pids, int depth) const;
    sys::Fd fd_;
    std::string name_;
};

/// "KEY NUMBER" lines; others are left out. Pure.
[[nodiscard]] std::map<std::string, std::uint64_t> parse_keys(const std::string& text);

} // namespace coracle::cgroup
