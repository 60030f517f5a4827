#pragma once

#include "channel_private.h"
#include "coracle/base/error.h"
#include "coracle/launch/launch.h"
#include "coracle/launch/stage.h"
#include "coracle/sys/fd.h"
#include "coracle/sys/socket.h"

#include <chrono>
#include <string>
#include <sys/types.h>

/// What the parents of `create`, `run` and `exec` share: their children, and the talk with them.
/// Runs in: parent.
namespace coracle::launch {

/// How long a process of ours may do nothing. What it does meanwhile, a thousand mounts or the copy
/// of a large directory, may take as long as it takes.
inline constexpr std::chrono::seconds step_deadline{30};

/// A process of ours: known by pidfd, reaped once.
struct Child {
    pid_t pid = 0;
    sys::Fd pidfd;
    int exit_fd = -1; ///< sys::exit_fd_of(pidfd), asked once

    /// Throws: system.
    void adopt(pid_t new_pid);
    /// The wait status. Throws: system.
    [[nodiscard]] int reap();
    /// Nothing if there is none.
    void kill_and_reap() noexcept;
};

struct ParentSide {
    int proc_fd;         ///< O_PATH of /proc, borrowed
    const char* payload; ///< the role that becomes the payload, for messages: "init", "exec"
    ParentEnd channel{sys::Fd()};
    Stage failed_stage = Stage::begin;
    std::chrono::milliseconds patience = step_deadline; ///< longer where hooks run meanwhile

    /// The next message, from `child`. Throws: what went wrong in `role`, or that it has done
    /// nothing for the deadline.
    Received receive(Child& child, const char* role);
    template <class Expected>
    Received require(Child& child, const char* role) {
        Received received = receive(child, role);
        if (!std::holds_alternative<Expected>(received.message)) {
            throw_unexpected(received.message, role);
        }
        return received;
    }
    /// Takes what `payload` says up to its Ready; `console` gets the terminal that may come before.
    /// Returns the degradations.
    [[nodiscard]] std::vector<plan::Degradation> await_ready(Child& child, sys::Fd& console);
    /// Sends Start; returns once the payload has been executed, and passes on the listener of its
    /// filter, if that has one. Throws: what kept it from that.
    void start(Child& child, const TakeListener& take_listener);

  private:
    [[nodiscard]] sys::Ready wait_while_busy(const Child& child) const;
    [[noreturn]] static void throw_unexpected(const Message& message, const char* role);
};

} // namespace coracle::launch
