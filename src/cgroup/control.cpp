#include "coracle/cgroup/control.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/sys/file.h"
#include "coracle/sys/process.h"

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

namespace coracle::cgroup {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds patience{10000};

void write_freeze(const Directory& cgroup, const char* value) {
    int errnum = cgroup.try_write("cgroup.freeze", value);
    if (errnum != 0) {
        throw_system(errnum, "write " + printable(cgroup.name()) + "/cgroup.freeze");
    }
}

/// Before Linux 5.14: each by itself, and again, since they may fork. Frozen, they cannot; a
/// killed one leaves the freezer by itself.
void kill_each(const Directory& cgroup) {
    Clock::time_point deadline = Clock::now() + patience;
    (void)cgroup.try_write("cgroup.freeze", "1");
    do {
        bool denied = false;
        for (pid_t pid : cgroup.processes()) {
            denied = (::kill(pid, SIGKILL) != 0 && errno == EPERM) || denied;
        }
        if (denied) {
            (void)cgroup.try_write("cgroup.freeze", "0");
            throw_system(EPERM, "kill the processes of " + printable(cgroup.name()));
        }
        // From 5.2 to 5.13 one in the middle of being frozen may need this to die.
        (void)cgroup.try_write("cgroup.freeze", "0");
        if (cgroup.wait_for("populated", 0, milliseconds(100))) {
            return;
        }
        (void)cgroup.try_write("cgroup.freeze", "1");
    } while (Clock::now() < deadline);
    (void)cgroup.try_write("cgroup.freeze", "0");
}

} // namespace

void freeze(const Directory& cgroup) {
    write_freeze(cgroup, "1");
    if (cgroup.wait_for("frozen", 1, patience)) {
        return;
    }
    (void)cgroup.try_write("cgroup.freeze", "0");
    throw_error(ErrorKind::system, "freeze " + printable(cgroup.name()) +
                                       ": a process does not stop within 10 seconds: it hangs in "
                                       "the kernel; nothing is frozen");
}

void thaw(const Directory& cgroup) {
    write_freeze(cgroup, "0");
    if (!cgroup.wait_for("frozen", 0, patience)) {
        throw_error(ErrorKind::system, "thaw " + printable(cgroup.name()) +
                                           ": still frozen after 10 seconds: a cgroup above it is");
    }
}

void kill_all(const Directory& cgroup) {
    int errnum = cgroup.try_write("cgroup.kill", "1");
    if (errnum == ENODEV) { // removed meanwhile
        return;
    }
    if (errnum != 0) {
        kill_each(cgroup);
    }
    if (!cgroup.wait_for("populated", 0, patience)) {
        throw_error(ErrorKind::system,
                    "kill the processes of " + printable(cgroup.name()) +
                        ": one is left after 10 seconds: it hangs in the kernel");
    }
}

bool signal_all(const Directory& cgroup, int signal) {
    if (signal == SIGKILL && cgroup.is_populated()) {
        int errnum = cgroup.try_write("cgroup.kill", "1");
        if (errnum == 0) {
            return true;
        }
    }
    // Frozen meanwhile, so that no child is missed; what a manager has frozen stays so.
    bool was_freezing = cgroup.is_freezing();
    if (!was_freezing && cgroup.try_write("cgroup.freeze", "1") == 0) {
        (void)cgroup.wait_for("frozen", 1, milliseconds(500));
    }
    bool found = false;
    for (pid_t pid : cgroup.processes()) {
        found = ::kill(pid, signal) == 0 || found;
    }
    if (!was_freezing) {
        (void)cgroup.try_write("cgroup.freeze", "0");
    }
    return found;
}

namespace {

/// The children first. A process that has just ended may hold a cgroup busy for a moment.
void remove_below(int parent, const Directory& cgroup, const std::string& name) {
    for (const std::string& child : cgroup.children()) {
        if (std::optional<Directory> directory = cgroup.find_child(child)) {
            remove_below(cgroup.fd(), *directory, child);
        }
    }
    Clock::time_point deadline = Clock::now() + patience;
    for (;;) {
        int errnum = sys::try_unlink(parent, name, AT_REMOVEDIR);
        if (errnum == 0 || errnum == ENOENT) {
            return;
        }
        bool busy = errnum == EBUSY && Clock::now() < deadline;
        if (!busy) {
            throw_system(errnum, "remove the cgroup " + printable(cgroup.name()));
        }
        if (!cgroup.wait_for("populated", 0, milliseconds(100))) {
            throw_system(errnum, "remove the cgroup " + printable(cgroup.name()),
                         "processes are in it");
        }
        constexpr int pause = 5;
        (void)::poll(nullptr, 0, pause);
    }
}

} // namespace

void remove(const std::string& mount_point, const std::string& path) {
    // By name, without an fd: those may be what the caller has run out of. An empty cgroup is no
    // loss to anybody.
    int errnum = sys::try_unlink(AT_FDCWD, mount_point + path, AT_REMOVEDIR);
    if (errnum == 0 || errnum == ENOENT) {
        return;
    }
    std::size_t slash = path.rfind('/');
    std::string above = slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
    std::optional<Directory> parent = Directory::find(mount_point, above);
    std::optional<Directory> cgroup = Directory::find(mount_point, path);
    if (parent && cgroup) {
        remove_below(parent->fd(), *cgroup, path.substr(slash + 1));
    }
}

} // namespace coracle::cgroup
