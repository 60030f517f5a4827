#pragma once

#include "coracle/cgroup/placement.h"
#include "coracle/launch/stage.h"
#include "coracle/plan/launch_plan.h"
#include "coracle/sys/fd.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <sys/types.h>
#include <vector>

/// Brings a container up as the plan says. Nothing else in coracle clones.
namespace coracle::launch {

/// The container's state as hooks read it: `status` is the word of the runtime-spec, `pid` that of
/// init as who runs the hook sees it.
using DescribeState = std::function<std::string(const char* status, pid_t pid)>;

/// Passes the listener of the payload's filter on, as soon as the filter is loaded.
using TakeListener = std::function<void(sys::Fd)>;

/// Gives the program of a filter: security::compile_seccomp, or who remembers what that gave.
using CompileFilter = std::function<std::vector<std::uint8_t>(const plan::SeccompPlan&)>;

/// What init holds for `start`. Borrowed; -1: none.
struct GateSockets {
    int listener = -1; ///< for GateKind::socket
    int notify = -1;   ///< the payload's notifications come to it; only with a listener
};

/// One container on its way: made by bring_up, kept by commit, started by start. Destroyed before
/// commit, it kills and reaps what it started.
/// Runs in: parent, which must have one thread and no other children.
class Launch {
  public:
    /// Borrows everything until it is destroyed. `proc_fd`: O_PATH of /proc.
    Launch(const plan::LaunchPlan& plan, int proc_fd, GateSockets gate,
           DescribeState describe_state, CompileFilter compile_filter);
    Launch(const Launch&) = delete;
    Launch& operator=(const Launch&) = delete;
    Launch(Launch&&) = delete;
    Launch& operator=(Launch&&) = delete;
    ~Launch();

    /// Init has set everything up and waits. Every step has a deadline. `meanwhile` is done while
    /// init works at the mounts; pid, cgroup and what degraded says so far hold then.
    /// Throws: what failed, in whichever process, as "init: <stage>: <what>".
    void bring_up(const std::function<void()>& meanwhile);
    /// Where bring_up failed in intermediate or init; Stage::begin if nowhere, or not known.
    [[nodiscard]] Stage failed_stage() const noexcept;

    /// Init's pid in the caller's pid namespace. From bring_up on.
    [[nodiscard]] pid_t pid() const noexcept;
    [[nodiscard]] int pidfd() const noexcept;
    /// Steps that took their fallback. From bring_up on.
    [[nodiscard]] const std::vector<plan::Degradation>& degraded() const noexcept;
    /// Its cgroup; no path: it has none of its own. From bring_up on.
    [[nodiscard]] cgroup::Location cgroup() const;
    /// The manager end of the terminal; empty without one. From bring_up on, once.
    [[nodiscard]] sys::Fd take_console() noexcept;

    /// Init outlives this process from here on.
    void commit();

    /// GateKind::channel: the payload has been executed, after the startContainer hooks.
    /// Throws: what kept it from that.
    void start(const TakeListener& take_listener);
    /// GateKind::channel: the network devices of the caller stay with the container, instead of
    /// being brought back by the destructor. commit() does it for GateKind::socket.
    void keep_devices() noexcept;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

/// Runs hooks of the parent one after the other, in the directory `bundle`, with `state` on stdin.
/// Throws: system, naming the hook that failed; denied. Runs in: parent of any verb.
void run_hooks(const std::vector<plan::Hook>& hooks, const plan::HookOutput& output,
               const std::string& bundle, const std::string& state);

/// Init of a created container, as `start` finds it.
struct WaitingInit {
    pid_t pid = 0;
    int pidfd = -1;                                ///< borrowed
    std::vector<plan::Hook> start_container_hooks; ///< that it runs before the payload
    TakeListener take_listener;                    ///< empty: the filter has none
    /// Gets GateSockets::notify when the program is about to be executed; empty: not wanted.
    std::function<void(sys::Fd)> take_notify;
};

/// Opens the gate (`name` in `dir_fd`) of a created container and returns once the payload has been
/// executed. `failed_stage` tells where it failed in init; Stage::begin if nowhere, or not known.
/// Throws: wrong_state if nobody waits there (the payload runs already, or another start was
/// faster); what kept the payload from being executed.
/// Runs in: parent of `start`.
void open_gate(int dir_fd, const std::string& name, const WaitingInit& init, Stage& failed_stage);

/// Whether init waits at the gate. A gate whose init has gone on or died answers no.
/// Throws: system, if that cannot be asked.
[[nodiscard]] bool is_gate_waiting(int dir_fd, const std::string& name);

/// Bytes of the program that init runs from.
[[nodiscard]] std::size_t private_copy_bytes() noexcept;
/// "2.5.4", of the library that compiles filters.
[[nodiscard]] std::string seccomp_library_version();

} // namespace coracle::launch
