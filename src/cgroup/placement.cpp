#include "coracle/cgroup/placement.h"

#include "bus_private.h"
#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/cgroup/control.h"
#include "coracle/cgroup/limits.h"
#include "coracle/sys/file.h"
#include "coracle/sys/procfs.h"
#include "device_filter_private.h"
#include "ownership_private.h"

#include <cerrno>
#include <fcntl.h>

namespace coracle::cgroup {

namespace {

using plan::CgroupMethod;

constexpr const char* unit_exists = "org.freedesktop.systemd1.UnitExists";

/// Makes the missing directories down to `path`; the last may be there already if it is empty.
void make_directories(const std::string& mount_point, const std::string& path) {
    std::size_t end = 0;
    do {
        end = path.find('/', end + 1);
        std::string part = path.substr(0, end);
        std::string name = mount_point + part;
        constexpr mode_t mode = 0755;
        int errnum = sys::try_make_directory(AT_FDCWD, name, mode);
        if (errnum != 0 && errnum != EEXIST) {
            throw_system(errnum, "make the cgroup " + printable(name),
                         errnum == EACCES || errnum == EPERM || errnum == EROFS
                             ? "the cgroup above it is not the caller's"
                             : "");
        }
        if (errnum == EEXIST && end == std::string::npos) {
            Directory there = Directory::open(mount_point, path);
            if (there.is_populated()) {
                throw_error(ErrorKind::wrong_state, "the cgroup " + printable(name) +
                                                        " is not empty: another container or "
                                                        "service is in it");
            }
        }
    } while (end != std::string::npos);
}

std::vector<plan::UnitProperty> scope_properties(const plan::ScopePlan& scope) {
    std::vector<plan::UnitProperty> properties{
        {"Description", scope.description},
        {"Slice", scope.slice},
        {"Delegate", true},
        {"CPUAccounting", true},
        {"MemoryAccounting", true},
        {"IOAccounting", true},
        {"TasksAccounting", true},
        {"DefaultDependencies", false},
        // Gone when its processes are, also where one of them was killed for want of memory.
        {"CollectMode", std::string("inactive-or-failed")},
    };
    properties.insert(properties.end(), scope.properties.begin(), scope.properties.end());
    return properties;
}

/// The host or the caller has run out of something, which has nothing to do with cgroups.
bool is_want(int errnum) {
    return errnum == EMFILE || errnum == ENFILE || errnum == ENOMEM || errnum == ENOSPC ||
           errnum == EIO;
}

} // namespace

struct Placement::State {
    const plan::CgroupPlan& plan;
    int proc_fd;
    CgroupMethod method;
    std::optional<Directory> directory;
    std::unique_ptr<Bus> bus;
    pid_t pid = 0;
    bool started = false; ///< a scope was asked for
    bool kept = false;
    std::string path;
    std::uint64_t id = 0;
    std::vector<plan::Degradation> degraded;

    State(const plan::CgroupPlan& cgroup_plan, int proc)
        : plan(cgroup_plan), proc_fd(proc), method(cgroup_plan.method) {}

    void attempt(void (State::*step)());
    void prepare();
    [[nodiscard]] std::optional<BusError> await_scope();
    [[nodiscard]] bool is_in_scope() const;
    void begin();
    void finish();
    void start_scope();
    void finish_scope();
    void limit();
    [[nodiscard]] Location location() const;
};

/// Where the container can do without, it does.
void Placement::State::attempt(void (State::*step)()) {
    if (method == CgroupMethod::none) {
        return;
    }
    try {
        (this->*step)();
    } catch (const Error& error) { // catch: the plan says that it may fail; else rethrows
        bool refused = error.kind() == ErrorKind::unsupported ||
                       (error.kind() == ErrorKind::system && !is_want(error.errnum()));
        bool allowed = plan.optional && refused;
        if (!allowed) {
            throw;
        }
        degraded.push_back(
            {"/linux/cgroupsPath", "the container stays in the caller's cgroup: " + error.text()});
        if (plan.devices) {
            degraded.push_back({"/linux/resources/devices",
                                "no device rules without a cgroup: a device node that is present "
                                "is usable as its mode says"});
        }
        for (const plan::CgroupWrite& write : plan.writes) {
            degraded.push_back({write.member, "no such limit without a cgroup"});
        }
        bus.reset();
        if (started || !path.empty()) {
            try {
                destroy(location());
            } catch (const std::exception&) { // catch: the degradation says enough
            }
        }
        method = CgroupMethod::none;
        started = false;
        path.clear();
    }
}

void Placement::State::prepare() {
    if (method == CgroupMethod::systemd) {
        bus = std::make_unique<Bus>(plan.scope.bus_path); // starts while others work
        return;
    }
    make_directories(plan.mount_point, plan.path);
    path = plan.path; // from here on it is to be removed
    enable_controllers(plan.mount_point, plan.path, plan.controllers);
    directory = Directory::open(plan.mount_point, plan.path);
    id = directory->id();
}

void Placement::State::start_scope() {
    started = true;
    bus->start_scope(plan.scope.name, scope_properties(plan.scope), plan.scope.oom_policy, pid);
}

void Placement::State::begin() {
    if (method == CgroupMethod::systemd) {
        start_scope();
        return;
    }
    int errnum = directory->try_write("cgroup.procs", std::to_string(pid));
    if (errnum != 0) {
        throw_system(errnum, "put the container into " + printable(directory->name()),
                     errnum == EACCES || errnum == EPERM
                         ? "the cgroup that has both it and the caller is not the caller's"
                     : errnum == EOPNOTSUPP
                         ? "a cgroup above it is threaded; name another in /linux/cgroupsPath"
                         : "");
    }
}

/// From here on it is known whether a scope was asked for at all. An answer that was lost is no
/// harm where the scope is there.
std::optional<BusError> Placement::State::await_scope() {
    started = false;
    try {
        std::optional<BusError> failed = bus->finish_scope();
        started = bus->may_have_asked();
        bool is_lost = failed && failed->name != unit_exists && started && is_in_scope();
        return is_lost ? std::nullopt : failed;
    } catch (const std::exception&) { // catch: an answer that was lost; else rethrows
        started = bus->may_have_asked();
        if (!started || !is_in_scope()) {
            throw;
        }
        return std::nullopt;
    }
}

/// That of the caller may have the same name. Init may have ended meanwhile.
bool Placement::State::is_in_scope() const {
    try {
        std::string found = sys::read_cgroup_path(proc_fd, std::to_string(pid));
        return found.ends_with("/" + plan.scope.name) &&
               found != sys::read_cgroup_path(proc_fd, "self");
    } catch (const std::exception&) { // catch: an error is on its way already
        return false;
    }
}

void Placement::State::finish_scope() {
    const plan::ScopePlan& scope = plan.scope;
    std::optional<BusError> failed = await_scope();
    if (failed && failed->name == unit_exists) {
        // One that has failed stays until it is reset; one that runs is another's.
        bus->reset_failed(scope.name);
        start_scope();
        failed = await_scope();
    }
    if (failed && failed->name == unit_exists) {
        started = false; // not ours to stop
        throw_error(ErrorKind::wrong_state, "the unit " + printable(scope.name) +
                                                " is there already: another container or service "
                                                "has it; name another in /linux/cgroupsPath");
    }
    if (failed) {
        throw_error(ErrorKind::system,
                    "systemd does not start " + printable(scope.name) + " in " +
                        printable(scope.slice) + ": " + printable(failed->text) +
                        (failed->name.empty() ? "" : " (" + printable(failed->name) + ")"));
    }
    std::string found = sys::read_cgroup_path(proc_fd, std::to_string(pid));
    if (!found.ends_with("/" + scope.name)) { // another's, which is not to be destroyed
        throw_error(ErrorKind::system, "systemd has started " + printable(scope.name) +
                                           ", but the container is in " + printable(found));
    }
    path = std::move(found);
    directory = Directory::open(plan.mount_point, path);
    id = directory->id();
}

void Placement::State::limit() {
    std::vector<plan::Degradation> missing =
        write_limits(*directory, plan.writes,
                     {plan.lenient, explain_delegation(plan.mount_point, plan.scope.bus)});
    degraded.insert(degraded.end(), missing.begin(), missing.end());
    if (plan.devices) {
        attach_device_filter(*directory, *plan.devices);
    }
    if (plan.owner) {
        give_delegated_files(*directory, *plan.owner);
    }
}

void Placement::State::finish() {
    if (method == CgroupMethod::systemd) {
        finish_scope();
        bus.reset();
    }
}

Location Placement::State::location() const {
    Location place;
    place.mount_point = plan.mount_point;
    place.path = method == CgroupMethod::none ? "" : path;
    place.id = id;
    place.sub = path.empty() || plan.sub_cgroup.empty() ? "" : "/" + plan.sub_cgroup;
    if (started) {
        place.bus = plan.scope.bus;
        place.bus_path = plan.scope.bus_path;
        place.scope = plan.scope.name;
    }
    return place;
}

Placement::Placement(const plan::CgroupPlan& plan, int proc_fd)
    : state_(std::make_unique<State>(plan, proc_fd)) {}

Placement::~Placement() {
    if (state_->kept || (!state_->started && state_->path.empty())) {
        return;
    }
    try {
        destroy(state_->location());
    } catch (const std::exception&) { // catch: an error is on its way already; no memory, too
    }
}

void Placement::prepare() {
    state_->attempt(&State::prepare);
}

int Placement::birth_fd() const noexcept {
    return state_->method == CgroupMethod::cgroupfs && state_->directory ? state_->directory->fd()
                                                                         : -1;
}

void Placement::begin(pid_t pid, Born born) {
    state_->pid = pid;
    if (born == Born::elsewhere) {
        state_->attempt(&State::begin);
    }
}

void Placement::finish() {
    state_->attempt(&State::finish);
    if (state_->method != CgroupMethod::none) {
        state_->limit();
    }
}

void Placement::settle(pid_t pid) {
    State& state = *state_;
    if (state.method == CgroupMethod::none || state.plan.sub_cgroup.empty()) {
        return;
    }
    std::string below = state.path + "/" + state.plan.sub_cgroup;
    make_directories(state.plan.mount_point, below);
    Directory sub = Directory::open(state.plan.mount_point, below);
    if (state.plan.owner) {
        give_delegated_files(sub, *state.plan.owner);
    }
    int errnum = sub.try_write("cgroup.procs", std::to_string(pid));
    if (errnum != 0) {
        throw_system(errnum, "put the container into " + printable(sub.name()));
    }
}

void Placement::keep() noexcept {
    state_->kept = true;
}

Location Placement::location() const {
    return state_->location();
}

const std::vector<plan::Degradation>& Placement::degraded() const noexcept {
    return state_->degraded;
}

} // namespace coracle::cgroup
