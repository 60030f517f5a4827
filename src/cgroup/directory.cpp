#include "coracle/cgroup/directory.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/sys/directory.h"
#include "coracle/sys/file.h"
#include "coracle/sys/rooted_path.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <sys/vfs.h>
#include <unistd.h>

namespace coracle::cgroup {

namespace {

using sys::Fd;
using Clock = std::chrono::steady_clock;

constexpr std::size_t max_text = std::size_t{16} << 20;
constexpr int max_depth = 64;

void require_cgroup2(int fd, const std::string& name) {
    struct statfs status {};
    if (::fstatfs(fd, &status) != 0) {
        int saved = errno;
        throw_system(saved, "fstatfs " + printable(name));
    }
    if (status.f_type != CGROUP2_SUPER_MAGIC) {
        throw_error(ErrorKind::denied, printable(name) + " is not in cgroup2");
    }
}

/// What `read` gives; nothing if the cgroup has been removed meanwhile.
template <class Read>
auto unless_removed(Read read) -> std::optional<decltype(read())> {
    try {
        return read();
    } catch (const Error& error) { // catch: the kernel's word for a cgroup that is gone; rethrows
        if (error.errnum() != ENODEV && error.errnum() != ENOENT) {
            throw;
        }
        return std::nullopt;
    }
}

} // namespace

std::map<std::string, std::uint64_t> parse_keys(const std::string& text) {
    std::map<std::string, std::uint64_t> keys;
    for (std::string_view line : split(text, '\n')) {
        std::size_t blank = line.find(' ');
        if (blank == std::string_view::npos) {
            continue;
        }
        std::optional<std::uint64_t> number = parse_unsigned(line.substr(blank + 1), UINT64_MAX);
        if (number) {
            keys.emplace(line.substr(0, blank), *number);
        }
    }
    return keys;
}

std::optional<Directory> Directory::find(const std::string& mount_point, const std::string& path) {
    std::string name = mount_point + (path == "/" ? "" : path);
    Fd root = sys::open_at(AT_FDCWD, mount_point, O_PATH | O_DIRECTORY);
    Fd fd;
    // Of names that are the caller's: nothing that a path may do leads out of cgroup2.
    int errnum =
        sys::try_open_in_root(root.get(), path, O_RDONLY | O_DIRECTORY, sys::Symlinks::refuse, fd);
    if (errnum == ENOENT) {
        return std::nullopt;
    }
    if (errnum != 0) {
        throw_system(errnum, "open the cgroup " + printable(name));
    }
    require_cgroup2(fd.get(), name);
    return Directory(std::move(fd), std::move(name));
}

Directory Directory::open(const std::string& mount_point, const std::string& path) {
    std::optional<Directory> directory = find(mount_point, path);
    if (!directory) {
        throw_system(ENOENT, "open the cgroup " + printable(mount_point + path));
    }
    return std::move(*directory);
}

std::uint64_t Directory::id() const {
    return sys::stat_of(fd_.get(), name_).st_ino;
}

std::optional<std::string> Directory::find_text(const std::string& file) const {
    Fd opened;
    int errnum = sys::try_open_at(fd_.get(), file, O_RDONLY, 0, opened);
    if (errnum == ENOENT || errnum == ENODEV) { // ENODEV: the cgroup has been removed
        return std::nullopt;
    }
    if (errnum != 0) {
        throw_system(errnum, "open " + printable(name_ + "/" + file));
    }
    return unless_removed(
        [&] { return sys::read_all(opened.get(), max_text, name_ + "/" + file); });
}

std::optional<std::uint64_t> Directory::find_number(const std::string& file) const {
    std::optional<std::string> text = find_text(file);
    if (!text) {
        return std::nullopt;
    }
    return parse_unsigned(std::string_view(*text).substr(0, text->find('\n')), UINT64_MAX);
}

std::map<std::string, std::uint64_t> Directory::read_keys(const std::string& file) const {
    std::optional<std::string> text = find_text(file);
    return text ? parse_keys(*text) : std::map<std::string, std::uint64_t>();
}

int Directory::try_write(const std::string& file, std::string_view value) const noexcept {
    return sys::try_write_file(fd_.get(), file, value);
}

std::vector<std::string> Directory::children() const {
    std::vector<std::string> names;
    std::optional<std::vector<std::string>> entries =
        unless_removed([&] { return sys::list_directory(fd_.get()); });
    for (std::string& name : entries.value_or(std::vector<std::string>())) {
        std::optional<struct stat> status = sys::find_stat(fd_.get(), name);
        if (status && S_ISDIR(status->st_mode)) {
            names.push_back(std::move(name));
        }
    }
    return names;
}

std::optional<Directory> Directory::find_child(const std::string& child) const {
    Fd fd;
    int errnum = sys::try_open_at(fd_.get(), child, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, fd);
    if (errnum == ENOENT) {
        return std::nullopt;
    }
    if (errnum != 0) {
        throw_system(errnum, "open the cgroup " + printable(name_ + "/" + child));
    }
    return Directory(std::move(fd), name_ + "/" + child);
}

void Directory::collect_processes(std::vector<pid_t>& pids, int depth) const {
    if (std::optional<std::string> text = find_text("cgroup.procs")) {
        for (std::string_view line : split(*text, '\n')) {
            std::optional<std::uint64_t> pid = parse_unsigned(line, INT32_MAX);
            if (pid && *pid != 0) { // 0: not of this pid namespace
                pids.push_back(static_cast<pid_t>(*pid));
            }
        }
    }
    if (depth >= max_depth) {
        return;
    }
    for (const std::string& child : children()) {
        if (std::optional<Directory> directory = find_child(child)) {
            directory->collect_processes(pids, depth + 1);
        }
    }
}

std::vector<pid_t> Directory::processes() const {
    std::vector<pid_t> pids;
    collect_processes(pids, 0);
    std::sort(pids.begin(), pids.end());
    return pids;
}

bool Directory::is_populated() const {
    return read_keys("cgroup.events")["populated"] != 0;
}

bool Directory::is_frozen() const {
    return read_keys("cgroup.events")["frozen"] != 0;
}

bool Directory::is_freezing() const {
    return find_number("cgroup.freeze").value_or(0) != 0;
}

bool Directory::wait_for(const char* key, std::uint64_t value,
                         std::chrono::milliseconds limit) const {
    Clock::time_point deadline = Clock::now() + limit;
    Fd events;
    int errnum = sys::try_open_at(fd_.get(), "cgroup.events", O_RDONLY, 0, events);
    if (errnum == ENOENT || errnum == ENODEV) {
        return value == 0; // a cgroup that is gone has no process, and none that is frozen
    }
    if (errnum != 0) {
        throw_system(errnum, "open " + printable(name_) + "/cgroup.events");
    }
    for (;;) {
        // Read first: a change between reading and poll(2) makes that return at once.
        if (::lseek(events.get(), 0, SEEK_SET) < 0) {
            return value == 0; // ENODEV
        }
        std::optional<std::string> text = unless_removed(
            [&] { return sys::read_all(events.get(), max_text, name_ + "/cgroup.events"); });
        if (!text) {
            return value == 0;
        }
        if (parse_keys(*text)[key] == value) {
            return true;
        }
        auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
        if (left.count() <= 0) {
            return false;
        }
        struct pollfd entry {
            events.get(), POLLPRI, 0
        };
        (void)::poll(&entry, 1, static_cast<int>(left.count()) + 1);
    }
}

} // namespace coracle::cgroup
