#include "coracle/cgroup/placement.h"

#include "bus_private.h"
#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/cgroup/control.h"
#include "coracle/cgroup/limits.h"

#include <cerrno>

namespace coracle::cgroup {

namespace {

void attach_by_systemd(const Location& location, const std::string& sub, pid_t pid, int errnum) {
    Bus bus(location.bus_path);
    std::optional<BusError> failed = bus.attach(location.scope, sub, {pid});
    if (failed) {
        throw_system(errnum, "put the process into the cgroup of " + printable(location.scope),
                     "systemd does not do it either: " + printable(failed->text));
    }
}

} // namespace

std::optional<Directory> find_directory(const Location& location) {
    if (location.path.empty()) {
        return std::nullopt;
    }
    std::optional<Directory> directory = Directory::find(location.mount_point, location.path);
    if (directory && location.id != 0 && directory->id() != location.id) {
        return std::nullopt;
    }
    return directory;
}

void stop_abandoned(const Location& location) {
    Bus bus(location.bus_path);
    if (bus.find_description(location.scope) == location.description) {
        bus.stop_unit(location.scope);
    }
}

void destroy(const Location& location) {
    std::optional<Directory> directory = find_directory(location);
    if (directory) {
        kill_all(*directory);
    }
    if (!location.scope.empty()) {
        try {
            Bus(location.bus_path).stop_unit(location.scope);
        } catch (const Error&) { // catch: without its manager, the directory is what is left of it
            if (!directory) {
                throw;
            }
        }
    }
    if (directory) {
        remove(location.mount_point, location.path);
    }
}

void place(const Location& location, const std::string& sub, const std::string& fallback,
           pid_t pid) {
    Directory directory = Directory::open(location.mount_point, location.path + sub);
    int errnum = directory.try_write("cgroup.procs", std::to_string(pid));
    // A cgroup that has cgroups below it with controllers takes no processes itself.
    if ((errnum == EBUSY || errnum == EOPNOTSUPP) && !fallback.empty()) {
        std::string below =
            fallback.starts_with(location.path + "/") ? fallback.substr(location.path.size()) : "";
        if (!below.empty() && below != sub) {
            place(location, below, "", pid);
            return;
        }
    }
    if ((errnum == EACCES || errnum == EPERM) && !location.scope.empty()) {
        attach_by_systemd(location, sub, pid, errnum);
        return;
    }
    if (errnum != 0) {
        throw_system(errnum, "put the process into " + printable(directory.name()),
                     errnum == EBUSY ? "it has cgroups below it: name one of them with --cgroup"
                                     : "");
    }
}

std::vector<plan::Degradation> update(const Location& location, const plan::CgroupUpdate& changes) {
    std::optional<Directory> directory = find_directory(location);
    if (!directory) {
        throw_error(ErrorKind::wrong_state, "the container has no cgroup any more");
    }
    // Each value is tried on the file before systemd learns of it: what the kernel refuses must
    // not come back when systemd writes its files again.
    std::vector<plan::Degradation> degraded = write_limits(*directory, changes.writes, {});
    if (!location.scope.empty() && !changes.properties.empty()) {
        std::optional<BusError> failed =
            Bus(location.bus_path).set_properties(location.scope, changes.properties);
        if (failed) {
            throw_error(ErrorKind::system, "systemd does not take the limits of " +
                                               printable(location.scope) + ": " +
                                               printable(failed->text));
        }
        (void)write_limits(*directory, changes.writes, {}); // systemd rounds some
    }
    return degraded;
}

} // namespace coracle::cgroup
