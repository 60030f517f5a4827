#include "cgroup_private.h"

#include "coracle/base/error.h"
#include "coracle/base/log.h"
#include "coracle/cgroup/control.h"
#include "coracle/host/cgroup_facts.h"
#include "coracle/sys/procfs.h"

namespace coracle::container {

std::optional<cgroup::Location> find_location(const spec::Record& record) {
    if (!record.cgroup || record.boot_id != sys::read_boot_id(sys::open_proc().get())) {
        return std::nullopt;
    }
    cgroup::Location location;
    static const std::string mount_point = host::find_cgroup2().mount_point; // once for a list
    location.mount_point = mount_point;
    if (location.mount_point.empty()) {
        return std::nullopt;
    }
    const spec::CgroupRecord& cgroup = *record.cgroup;
    location.path = cgroup.path;
    location.id = cgroup.id;
    location.sub = cgroup.sub;
    location.scope = cgroup.scope;
    location.bus = cgroup.scope.empty() ? plan::BusKind::none
                   : cgroup.system      ? plan::BusKind::system
                                        : plan::BusKind::user;
    location.bus_path = cgroup.bus_path;
    return location;
}

spec::CgroupRecord make_cgroup_record(const cgroup::Location& location) {
    spec::CgroupRecord record;
    record.path = location.path;
    record.id = location.id;
    record.sub = location.sub;
    record.scope = location.scope;
    record.system = location.bus == plan::BusKind::system;
    record.bus_path = location.bus_path;
    return record;
}

std::optional<LivingCgroup> find_cgroup(const Found& found, const char* verb) {
    if (found.status == Status::stopped || found.status == Status::creating) {
        throw_error(ErrorKind::wrong_state, std::string(verb) + ": container with id " +
                                                found.record.id + " is not running");
    }
    std::optional<cgroup::Location> location = find_location(found.record);
    std::optional<cgroup::Directory> directory =
        location ? cgroup::find_directory(*location) : std::nullopt;
    if (!directory) {
        return std::nullopt;
    }
    return LivingCgroup{std::move(*location), std::move(*directory)};
}

LivingCgroup require_cgroup(const Found& found, const char* verb) {
    std::optional<LivingCgroup> cgroup = find_cgroup(found, verb);
    if (!cgroup) {
        throw_error(ErrorKind::unsupported,
                    std::string(verb) + ": container " + found.record.id +
                        " has no cgroup of its own" +
                        (found.record.no_cgroup.empty() ? "" : ": " + found.record.no_cgroup));
    }
    return std::move(*cgroup);
}

bool is_paused(const spec::Record& record) {
    std::optional<cgroup::Location> location = find_location(record);
    std::optional<cgroup::Directory> directory =
        location ? cgroup::find_directory(*location) : std::nullopt;
    return directory && directory->is_freezing();
}

void remove_cgroup(const spec::Record& record) {
    std::optional<cgroup::Location> location = find_location(record);
    if (!location) {
        return;
    }
    if (location->id != 0) {
        cgroup::destroy(*location);
        return;
    }
    // The creation was broken off: whether the path is the container's is not known, so nobody in
    // it is killed. Its own processes die with their creator, and a moment is given to them.
    try {
        if (!location->scope.empty()) {
            cgroup::stop_abandoned(*location);
        } else {
            cgroup::remove(location->mount_point, location->path);
        }
    } catch (const Error& error) { // catch: another's, or its manager is gone
        log::warning(error.text() + "; it is left");
    }
}

} // namespace coracle::container
