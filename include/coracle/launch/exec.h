#pragma once

#include "coracle/launch/launch.h"
#include "coracle/launch/stage.h"
#include "coracle/plan/launch_plan.h"
#include "coracle/sys/fd.h"

#include <functional>
#include <memory>
#include <sys/types.h>
#include <vector>

namespace coracle::launch {

/// Whom `exec` joins: a container's init. Borrowed.
struct ExecTarget {
    int pidfd;     ///< as sys::try_open_pidfd gives it
    int directory; ///< its /proc/PID
};

/// Puts the executor, or the joiner before it, into the container's cgroup.
using PlaceInCgroup = std::function<void(pid_t pid)>;

/// One more process of a container on its way. Destroyed before start has returned, it kills and
/// reaps what it started.
/// Runs in: parent of `exec`, which must have one thread and no other children.
class ExecLaunch {
  public:
    /// Borrows everything until it is destroyed. `proc_fd`: O_PATH of /proc.
    ExecLaunch(const plan::ExecLaunchPlan& plan, int proc_fd, ExecTarget target,
               PlaceInCgroup place, CompileFilter compile_filter);
    ExecLaunch(const ExecLaunch&) = delete;
    ExecLaunch& operator=(const ExecLaunch&) = delete;
    ExecLaunch(ExecLaunch&&) = delete;
    ExecLaunch& operator=(ExecLaunch&&) = delete;
    ~ExecLaunch();

    /// The process is in the container, as the plan says, and waits. Every step has a deadline.
    /// Throws: what failed, as "exec: <stage>: <what>".
    void bring_up();
    /// Its pid in the caller's pid namespace. From bring_up on; so the following.
    [[nodiscard]] pid_t pid() const noexcept;
    [[nodiscard]] int pidfd() const noexcept;
    [[nodiscard]] const std::vector<plan::Degradation>& degraded() const noexcept;
    /// The manager end of the terminal; empty without one. Once.
    [[nodiscard]] sys::Fd take_console() noexcept;

    /// The program has been executed. Throws: what kept it from that.
    void start(const TakeListener& take_listener);
    /// It outlives this process from here on.
    void release() noexcept;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace coracle::launch
