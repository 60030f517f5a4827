#pragma once

#include "coracle/cgroup/directory.h"
#include "coracle/plan/launch_plan.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace coracle::cgroup {

/// Where the cgroup of a container is, as its record has it.
struct Location {
    std::string mount_point;
    std::string path;     ///< empty: not known, or none
    std::uint64_t id = 0; ///< its inode; 0: not known
    std::string sub;      ///< of the payload, below it: "" or "/a"
    plan::BusKind bus{};
    std::string bus_path;
    std::string scope; ///< empty: no unit of systemd
};

/// The cgroup of a container on its way: as the plan says, or none where the plan allows that.
/// Until keep() is called, its destruction takes away what has been made. Runs in: parent.
class Placement {
  public:
    /// Borrows the plan. `proc_fd`: O_PATH of /proc.
    Placement(const plan::CgroupPlan& plan, int proc_fd);
    Placement(const Placement&) = delete;
    Placement& operator=(const Placement&) = delete;
    Placement(Placement&&) = delete;
    Placement& operator=(Placement&&) = delete;
    ~Placement();

    /// Before the first clone: the directory is there, or the bus is being connected to.
    /// Throws: what keeps it from being made.
    void prepare();
    /// The cgroup that a clone may be born in; -1: move it by begin.
    [[nodiscard]] int birth_fd() const noexcept;
    /// `pid` is on its way into the cgroup. `born_in`: it is there already. Throws: as prepare.
    enum class Born { elsewhere, inside };
    void begin(pid_t pid, Born born);
    /// The process is in the cgroup, which has its limits and device rules. Throws: as prepare.
    void finish();
    /// The container's first process, if it is another than that of begin: it goes to the
    /// sub-cgroup of the plan. After finish.
    void settle(pid_t pid);
    void keep() noexcept;

    /// From finish on.
    [[nodiscard]] Location location() const;
    [[nodiscard]] const std::vector<plan::Degradation>& degraded() const noexcept;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

/// The cgroup, unless it is gone or another has got its path. Throws: system.
[[nodiscard]] std::optional<Directory> find_directory(const Location& location);

/// What keeps systemd from being asked over the bus whose socket that is, such as a library that
/// is missing; empty: nothing. Runs in: parent of doctor.
[[nodiscard]] std::string find_bus_problem(const std::string& socket_path);

/// The unit of a creation that was broken off is gone, if nobody is in it: systemd may have made it
/// after its processes had died, and then never sees it empty. Whoever is in it is another's, or
/// about to die. Runs in: parent of delete. Throws: system.
void stop_abandoned(const Location& location);

/// Every process in it is killed, and the cgroup and its unit are gone; what is gone already is no
/// error. Runs in: parent of delete. Throws: system.
void destroy(const Location& location);

/// Puts a process into the cgroup `sub` ("" or "/a/b") of the container: as the caller may, else by
/// systemd, as long as the process has the caller's uid. `fallback`: a cgroup to take where that
/// one takes no processes since it has cgroups below it; empty: none.
/// Runs in: parent of exec. Throws: system.
void place(const Location& location, const std::string& sub, const std::string& fallback,
           pid_t pid);

/// The limits of a living container are changed, in its files and in its unit; with an error none.
/// Runs in: parent of update. Throws: as write_limits.
[[nodiscard]] std::vector<plan::Degradation> update(const Location& location,
                                                    const plan::CgroupUpdate& changes);

} // namespace coracle::cgroup
