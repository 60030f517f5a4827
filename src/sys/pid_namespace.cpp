#include "coracle/base/text.h"
#include "coracle/sys/directory.h"
#include "coracle/sys/file.h"
#include "coracle/sys/namespace.h"
#include "coracle/sys/procfs.h"

#include <algorithm>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sys/ioctl.h>

namespace coracle::sys {

namespace {

/// Whether the pid namespace of a process is `wanted`, or below it.
bool is_in(int proc_fd, pid_t pid, int wanted) {
    Fd space;
    if (try_open_at(proc_fd, proc_path(pid, "ns/pid"), O_RDONLY, 0, space) != 0) {
        return false; // it has ended, or is not to be looked at
    }
    while (space) {
        if (is_same_file(space.get(), wanted)) {
            return true;
        }
        space = Fd{::ioctl(space.get(), NS_GET_PARENT)}; // EPERM: above this process's own
    }
    return false;
}

} // namespace

std::vector<int> find_processes_in(int proc_fd, int pid_namespace_fd) {
    std::vector<int> found;
    Fd directory = open_at(proc_fd, ".", O_RDONLY | O_DIRECTORY);
    for (const std::string& name : list_directory(directory.get())) {
        std::optional<std::uint64_t> pid = parse_unsigned(name, INT32_MAX);
        if (pid && is_in(proc_fd, static_cast<pid_t>(*pid), pid_namespace_fd)) {
            found.push_back(static_cast<int>(*pid));
        }
    }
    std::sort(found.begin(), found.end());
    return found;
}

} // namespace coracle::sys
