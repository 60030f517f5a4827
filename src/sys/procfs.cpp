#include "coracle/sys/procfs.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/sys/file.h"
#include "coracle/sys/mount.h"
#include "coracle/sys/process.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <ctime>
#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <optional>
#include <string_view>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace coracle::sys {

Fd open_proc() {
    Fd proc = open_at(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY);
    if (filesystem_magic_of(proc.get(), "/proc") != PROC_SUPER_MAGIC) {
        throw_error(ErrorKind::unsupported, "/proc: procfs is not mounted there");
    }
    return proc;
}

std::string parse_cgroup_path(const std::string& text) {
    for (std::string_view line : split(text, '\n')) {
        if (line.starts_with("0::/")) {
            return std::string(line.substr(3));
        }
    }
    return "/";
}

std::string read_cgroup_path(int proc_fd, const std::string& process) {
    constexpr std::size_t limit = std::size_t{1} << 20;
    Fd file = open_at(proc_fd, process + "/cgroup", O_RDONLY);
    return parse_cgroup_path(read_all(file.get(), limit, "/proc/" + process + "/cgroup"));
}

std::string proc_path(pid_t pid, const char* name) {
    return std::to_string(pid) + "/" + name;
}

std::optional<ProcessStat> parse_process_stat(const std::string& text) {
    // The name, field 2, is in brackets and may hold anything, brackets and blanks included.
    std::size_t end_of_name = text.rfind(')');
    if (end_of_name == std::string::npos || end_of_name + 2 >= text.size()) {
        return std::nullopt;
    }
    std::vector<std::string_view> fields =
        split(std::string_view(text).substr(end_of_name + 2), ' ');
    constexpr std::size_t threads_field = 17; // field 20, and the first here is field 3
    constexpr std::size_t start_time_field = 19;
    constexpr std::size_t user_time_field = 11;
    constexpr std::size_t system_time_field = 12;
    if (fields.size() <= start_time_field || fields[0].size() != 1) {
        return std::nullopt;
    }
    std::optional<std::uint64_t> pid = parse_unsigned(text.substr(0, text.find(' ')), INT32_MAX);
    std::optional<std::uint64_t> threads = parse_unsigned(fields[threads_field], INT32_MAX);
    std::optional<std::uint64_t> start = parse_unsigned(fields[start_time_field], UINT64_MAX);
    std::optional<std::uint64_t> user = parse_unsigned(fields[user_time_field], INT64_MAX);
    std::optional<std::uint64_t> system = parse_unsigned(fields[system_time_field], INT64_MAX);
    if (!pid || !threads || !start || !user || !system) {
        return std::nullopt;
    }
    return ProcessStat{static_cast<pid_t>(*pid), fields[0][0], *threads, *start, *user + *system};
}

namespace {

std::optional<ProcessStat> find_stat_at(int directory, const std::string& path,
                                        const std::string& name) {
    Fd file;
    int errnum = try_open_at(directory, path, O_RDONLY, 0, file);
    if (errnum == ENOENT || errnum == ESRCH) {
        return std::nullopt;
    }
    if (errnum != 0) {
        throw_system(errnum, "open " + name);
    }
    try {
        return parse_process_stat(read_all(file.get(), 4096, name));
    } catch (Error& error) { // catch: a process that ended between open and read is absent
        if (error.errnum() == ESRCH) {
            return std::nullopt;
        }
        throw;
    }
}

} // namespace

std::optional<ProcessStat> find_process_stat(int proc_fd, pid_t pid) {
    std::string path = proc_path(pid, "stat");
    return find_stat_at(proc_fd, path, "/proc/" + path);
}

std::optional<ProcessStat> find_stat_in(int process_directory) {
    return find_stat_at(process_directory, "stat", "stat of a process");
}

std::optional<std::uint64_t> find_in_fdinfo(int fd, const std::string& key) noexcept {
    Fd file;
    std::array<char, 4096> buffer{};
    std::string path = "/proc/self/fdinfo/" + std::to_string(fd);
    ssize_t length = try_open_at(AT_FDCWD, path, O_RDONLY, 0, file) == 0
                         ? ::read(file.get(), buffer.data(), buffer.size())
                         : 0;
    std::string_view text(buffer.data(), length > 0 ? static_cast<std::size_t>(length) : 0);
    for (std::string_view line : split(text, '\n')) {
        if (line.starts_with(key + ":\t")) {
            return parse_unsigned(line.substr(key.size() + 2), UINT64_MAX);
        }
    }
    return std::nullopt;
}

std::int64_t parse_boot_time_offset(const std::string& text, std::int64_t tick_rate) {
    constexpr std::string_view key = "boottime";
    constexpr std::int64_t nanoseconds = 1'000'000'000;
    for (std::string_view line : split(text, '\n')) {
        std::vector<std::string_view> words;
        for (std::string_view word : split(line, ' ')) {
            if (!word.empty()) {
                words.push_back(word);
            }
        }
        if (words.size() != 3 || words[0] != key) {
            continue;
        }
        bool negative = words[1].starts_with('-');
        std::optional<std::uint64_t> seconds =
            parse_unsigned(words[1].substr(negative ? 1 : 0), UINT32_MAX);
        std::optional<std::uint64_t> rest = parse_unsigned(words[2], nanoseconds - 1);
        if (seconds && rest) {
            std::int64_t whole = static_cast<std::int64_t>(*seconds) * tick_rate;
            return (negative ? -whole : whole) +
                   static_cast<std::int64_t>(*rest) / (nanoseconds / tick_rate);
        }
    }
    return 0;
}

std::int64_t find_boot_time_offset(int proc_fd) {
    constexpr ino_t initial_inode = 0xEFFFFFFAU; // PROC_TIME_INIT_INO, include/linux/proc_ns.h
    struct stat status {};
    if (::fstatat(proc_fd, "self/ns/time", &status, 0) != 0 || status.st_ino == initial_inode) {
        return 0; // ENOENT: the kernel has no time namespaces
    }
    Fd file = open_at(proc_fd, "self/timens_offsets", O_RDONLY);
    return parse_boot_time_offset(read_all(file.get(), 4096, "/proc/self/timens_offsets"),
                                  static_cast<long>(::getauxval(AT_CLKTCK)));
}

const std::string& read_boot_id(int proc_fd) {
    static std::string boot_id;
    if (boot_id.empty()) {
        constexpr const char* path = "sys/kernel/random/boot_id";
        Fd file = open_at(proc_fd, path, O_RDONLY);
        boot_id = read_all(file.get(), 128, std::string("/proc/") + path);
        while (!boot_id.empty() && boot_id.back() == '\n') {
            boot_id.pop_back();
        }
    }
    return boot_id;
}

pid_t find_namespace_pid(int proc_fd, pid_t pid) {
    constexpr std::string_view key = "NSpid:";
    Fd file;
    if (try_open_at(proc_fd, proc_path(pid, "status"), O_RDONLY, 0, file) != 0) {
        return pid;
    }
    std::string text = read_all(file.get(), std::size_t{64} << 10, "/proc/PID/status");
    for (std::string_view line : split(text, '\n')) {
        if (line.starts_with(key)) {
            return static_cast<pid_t>(
                parse_unsigned(line.substr(line.rfind('\t') + 1), INT32_MAX).value_or(0));
        }
    }
    return pid;
}

namespace {

struct SignalMasks {
    std::uint64_t handled = 0; ///< caught or ignored
    std::uint64_t blocked = 0;
    char state = 'S'; ///< of the main thread; D as of vfork(2) until the child calls execve
};

/// Everything is handled if it cannot be told.
SignalMasks read_signal_masks(int proc_fd, pid_t pid) {
    Fd file;
    if (try_open_at(proc_fd, proc_path(pid, "status"), O_RDONLY, 0, file) != 0) {
        return {~std::uint64_t{0}, 0, 'X'};
    }
    SignalMasks masks;
    std::string text = read_all(file.get(), std::size_t{64} << 10, "/proc/PID/status");
    for (std::string_view line : split(text, '\n')) {
        if (constexpr std::string_view key = "State:\t"; line.starts_with(key)) {
            masks.state = line.substr(key.size()).empty() ? 'S' : line[key.size()];
        }
        bool is_blocked = line.starts_with("SigBlk:");
        if (is_blocked || line.starts_with("SigCgt:") || line.starts_with("SigIgn:")) {
            std::string_view word = line.substr(line.rfind('\t') + 1);
            std::uint64_t value = 0;
            (void)std::from_chars(word.data(), word.data() + word.size(), value, 16);
            (is_blocked ? masks.blocked : masks.handled) |= value;
        }
    }
    return masks;
}

bool has_signal(std::uint64_t mask, int signal) {
    return (mask >> (signal - 1) & 1) != 0;
}

} // namespace

bool is_signal_provided_for(int proc_fd, pid_t pid, int signal) {
    // Every fork blocks all signals for a moment, a vfork until the child's execve, which a busy
    // disk keeps waiting, and then until a busy processor lets it go on; who waits for a signal
    // blocks it asleep, and for long.
    constexpr int patience = 2000;
    for (int used = 0; used < patience;) {
        SignalMasks masks = read_signal_masks(proc_fd, pid);
        if (has_signal(masks.handled, signal)) {
            return true;
        }
        if (!has_signal(masks.blocked, signal)) {
            return false;
        }
        constexpr int of_sleep = 200;  // 50 ms of it
        constexpr int of_running = 10; // 1 s
        used += masks.state == 'D' ? 1 : masks.state == 'R' ? of_running : of_sleep;
        pause_for(std::chrono::milliseconds(5));
    }
    return true;
}

std::vector<pid_t> find_children() {
    std::vector<pid_t> children;
    std::string pid = std::to_string(::getpid());
    std::string path = "/proc/self/task/" + pid + "/children";
    Fd file;
    int errnum = try_open_at(AT_FDCWD, path, O_RDONLY, 0, file);
    if (errnum == ENOENT) {
        return children;
    }
    if (errnum != 0) {
        throw_system(errnum, "open " + path);
    }
    std::string text = read_all(file.get(), std::size_t{1} << 20, "/proc/self/task/children");
    for (std::string_view word : split(text, ' ')) {
        std::optional<std::uint64_t> child = parse_unsigned(word, INT32_MAX);
        if (child) {
            children.push_back(static_cast<pid_t>(*child));
        }
    }
    return children;
}

int thread_count(int proc_fd) {
    Fd directory = open_at(proc_fd, "self/task", O_RDONLY | O_DIRECTORY);
    struct stat status = stat_of(directory.get(), "/proc/self/task");
    return static_cast<int>(status.st_nlink) - 2; // one directory each, "." and ".."
}

} // namespace coracle::sys
