#include "coracle/host/cgroup_facts.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/sys/file.h"
#include "coracle/sys/procfs.h"
#include "coracle/sys/socket.h"

#include <cerrno>
#include <cstdlib>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

namespace coracle::host {

namespace {

constexpr const char* unified_root = "/sys/fs/cgroup";
constexpr const char* hybrid_root = "/sys/fs/cgroup/unified";

bool is_cgroup2(const char* path) {
    struct statfs status {};
    if (::statfs(path, &status) != 0) {
        int saved = errno;
        if (saved == ENOENT || saved == ENOTDIR || saved == EACCES) {
            return false;
        }
        throw_system(saved, std::string("statfs ") + path);
    }
    return status.f_type == CGROUP2_SUPER_MAGIC;
}

bool may_divide(const std::string& cgroup) {
    return sys::may_write(cgroup) && sys::may_write(cgroup + "/cgroup.procs");
}

std::string parent_of(const std::string& path) {
    std::size_t slash = path.rfind('/');
    return slash == std::string::npos || slash == 0 ? "/" : path.substr(0, slash);
}

std::string find_home(const CgroupFacts& facts) {
    for (const std::string& place : {parent_of(facts.own), facts.own}) {
        if (may_divide(facts.mount_point + place)) {
            return place;
        }
    }
    return {};
}

void find_system_bus(CgroupFacts& facts) {
    constexpr const char* path = "/run/dbus/system_bus_socket";
    struct stat status {};
    if (::stat("/run/systemd/system", &status) != 0) { // sd_booted(3)
        facts.bus_problem = "systemd does not run this host";
        return;
    }
    int errnum = sys::try_reach_stream(path);
    if (errnum != 0) {
        facts.bus_problem = std::string("the system bus does not answer: connect to ") + path +
                            ": " + describe_errno(errnum) + "; start dbus.socket";
        return;
    }
    facts.bus = SystemdBus::system;
    facts.bus_path = path;
}

/// What may be wrong when there is no XDG_RUNTIME_DIR: a user who is not logged in, or su(1).
std::string explain_no_session(std::uint32_t uid) {
    std::string directory = "/run/user/" + std::to_string(uid);
    struct stat status {};
    bool there = ::stat((directory + "/bus").c_str(), &status) == 0 && status.st_uid == uid;
    return there ? "XDG_RUNTIME_DIR is not set: export XDG_RUNTIME_DIR=" + directory
                 : "XDG_RUNTIME_DIR is not set, so there is no user session with a systemd of its "
                   "own: log in (su and cron make none), or let it linger: loginctl enable-linger";
}

void find_user_bus(CgroupFacts& facts, std::uint32_t uid) {
    const char* runtime = std::getenv("XDG_RUNTIME_DIR");
    if (runtime == nullptr || *runtime != '/') {
        facts.bus_problem = explain_no_session(uid);
        return;
    }
    std::string path = std::string(runtime) + "/bus";
    int errnum = sys::try_reach_stream(path);
    if (errnum == 0) {
        facts.bus = SystemdBus::user;
        facts.bus_path = path;
        return;
    }
    struct stat status {};
    bool manager = ::stat((std::string(runtime) + "/systemd").c_str(), &status) == 0;
    facts.bus_problem = "the user's bus does not answer: connect to " + printable(path) + ": " +
                        describe_errno(errnum);
    facts.bus_problem += manager && errnum == ENOENT
                             ? "; install dbus-user-session and log in again"
                             : "; systemd --user does not run for this user (log in, or loginctl "
                               "enable-linger)";
}

} // namespace

CgroupFacts find_cgroup2() {
    CgroupFacts facts;
    if (is_cgroup2(unified_root)) {
        facts.mount_point = unified_root;
        facts.unified = true;
    } else if (is_cgroup2(hybrid_root)) {
        facts.mount_point = hybrid_root;
        facts.problem = "this host has cgroup v1 at /sys/fs/cgroup, which has the controllers: "
                        "boot it with systemd.unified_cgroup_hierarchy=1";
    } else {
        facts.problem = "there is no cgroup2 at /sys/fs/cgroup: mount -t cgroup2 cgroup2 "
                        "/sys/fs/cgroup, or boot with systemd.unified_cgroup_hierarchy=1";
    }
    return facts;
}

CgroupFacts detect_cgroup(int proc_fd, const Facts& facts) {
    CgroupFacts cgroup = find_cgroup2();
    if (cgroup.mount_point.empty()) {
        return cgroup;
    }
    cgroup.own = sys::read_cgroup_path(proc_fd, "self");
    cgroup.home = find_home(cgroup);
    if (!cgroup.unified) {
        cgroup.bus_problem = cgroup.problem;
    } else if (facts.euid == 0 && facts.initial_user_namespace) {
        find_system_bus(cgroup);
    } else {
        find_user_bus(cgroup, facts.euid);
    }
    return cgroup;
}

} // namespace coracle::host
