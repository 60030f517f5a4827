#include "coracle/cgroup/placement.h"

#include "bus_private.h"
#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/cgroup/control.h"
#include "coracle/cgroup/limits.h"

#include <cerrno>

namespace coracle::cgroup {

namespace {

/// What systemd says against it.
std::optional<BusError> attach_by_systemd(const Location& location, const std::string& sub,
                                          pid_t pid) {
    return Bus(location.bus_path).attach(location.scope, sub, pid);
}

/// The files that are about to be written, as they are.
std::vector<std::pair<std::string, std::string>>
read_files(const Directory& cgroup, const std::vector<plan::CgroupWrite>& writes) {
    std::vector<std::pair<std::string, std::string>> files;
    for (const plan::CgroupWrite& write : writes) {
        for (const std::string& name : {write.file, write.other_file}) {
            std::optional<std::string> text = name.empty() ? std::nullopt : cgroup.find_text(name);
            if (text) {
                files.emplace_back(name, std::move(*text));
            }
        }
    }
    return files;
}

/// The last first. A file of several lines takes one with each write.
void write_back(const Directory& cgroup,
                const std::vector<std::pair<std::string, std::string>>& files) {
    for (auto file = files.rbegin(); file != files.rend(); ++file) {
        for (std::string_view line : split(file->second, '\n')) {
            if (!line.empty() || file->second.size() <= 1) {
                (void)cgroup.try_write(file->first, std::string(line) + "\n");
            }
        }
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

std::string find_bus_problem(const std::string& socket_path) {
    return Bus(socket_path).find_problem();
}

void stop_abandoned(const Location& location) {
    Bus bus(location.bus_path);
    if (bus.is_without_processes(location.scope)) {
        bus.stop_unit(location.scope);
    }
}

void destroy(const Location& location) {
    std::optional<Directory> directory = find_directory(location);
    if (directory && location.id != 0) { // else whose processes they are is not known
        kill_all(*directory);
    }
    if (!location.scope.empty() && location.id == 0) { // asked for: that name may be another's
        stop_abandoned(location);
    }
    // A unit without the cgroup is gone, and one of that name another's.
    if (!location.scope.empty() && location.id != 0 && directory) {
        try {
            Bus(location.bus_path).stop_unit(location.scope);
        } catch (const Error&) { // catch: without its manager, the directory is what is left of it
        }
    }
    if (directory) {
        remove(location.mount_point, location.path);
    }
}

void place(const Location& location, const std::string& sub, const std::string& fallback,
           pid_t pid) {
    if (!find_directory(location)) {
        throw_error(ErrorKind::wrong_state, "the container has no cgroup any more");
    }
    Directory directory = Directory::open(location.mount_point, location.path + sub);
    int errnum = directory.try_write("cgroup.procs", std::to_string(pid));
    std::optional<BusError> failed;
    if ((errnum == EACCES || errnum == EPERM) && !location.scope.empty()) {
        failed = attach_by_systemd(location, sub, pid);
        errnum = failed ? errnum : 0;
    }
    if (errnum == 0) {
        return;
    }
    // A cgroup that has cgroups below it with controllers takes no processes itself.
    std::string below =
        fallback.starts_with(location.path + "/") ? fallback.substr(location.path.size()) : "";
    bool full = errnum == EBUSY || errnum == EOPNOTSUPP || failed;
    if (full && !below.empty() && below != sub) {
        place(location, below, "", pid);
        return;
    }
    throw_system(errnum, "put the process into " + printable(directory.name()),
                 failed            ? "systemd does not do it either: " + printable(failed->text)
                 : errnum == EBUSY ? "it has cgroups below it: name one of them with --cgroup"
                                   : "");
}

namespace {

std::vector<plan::Degradation> change(const Location& location, const Directory& directory,
                                      const plan::CgroupUpdate& changes) {
    // Each value is tried on the file before systemd learns of it: what the kernel refuses must
    // not come back when systemd writes its files again.
    LimitRules rules{false, explain_delegation(location.mount_point, location.bus)};
    std::vector<plan::Degradation> degraded = write_limits(directory, changes.writes, rules);
    if (!location.scope.empty() && !changes.properties.empty()) {
        std::optional<BusError> failed =
            Bus(location.bus_path).set_properties(location.scope, changes.properties);
        if (failed) {
            throw_error(ErrorKind::system, "systemd does not take the limits of " +
                                               printable(location.scope) + ": " +
                                               printable(failed->text));
        }
        (void)write_limits(directory, changes.writes, rules); // systemd rounds some
    }
    return degraded;
}

} // namespace

std::vector<plan::Degradation> update(const Location& location, const plan::CgroupUpdate& changes) {
    std::optional<Directory> directory = find_directory(location);
    if (!directory) {
        throw_error(ErrorKind::wrong_state, "the container has no cgroup any more");
    }
    auto before = read_files(*directory, changes.writes);
    try {
        return change(location, *directory, changes);
    } catch (const std::exception&) { // catch: all of it or nothing; rethrows
        write_back(*directory, before);
        throw;
    }
}

} // namespace coracle::cgroup
