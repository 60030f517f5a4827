#pragma once

#include "coracle/sys/fd.h"

#include <string>
#include <string_view>
#include <sys/types.h>

namespace coracle::container {

/// Whether the caller has a service manager that wants to be notified: $NOTIFY_SOCKET is set.
[[nodiscard]] bool has_service_manager();

/// What of a payload's notification reaches the service manager: the lines that say how the
/// service is. Not those that change what the manager does with processes and descriptors:
/// MAINPID, NOTIFYACCESS, FDSTORE and whatever a later systemd has. Source: sd_notify(3).
[[nodiscard]] std::string permitted_lines(std::string_view message);

/// Between a payload and the service manager of the caller: passes notifications on, never
/// descriptors. Source: sd_notify(3), sd_notify_barrier(3).
/// Runs in: parent.
class NotifyProxy {
  public:
    /// Connects to $NOTIFY_SOCKET. Throws: usage, if that is no path and no abstract name; system.
    NotifyProxy();
    /// The payload's notifications come to `socket`.
    void take(sys::Fd socket) noexcept { payload_ = std::move(socket); }
    /// Readable when there is something to pass on; -1 before take.
    [[nodiscard]] int fd() const noexcept { return payload_.get(); }

    /// Passes on what has come, `main_pid` beside READY=1 if it is not 0. Whether that was among
    /// it. A manager that is gone or does not read is only warned of.
    bool pass_on(pid_t main_pid);
    /// Until the payload has said that it is ready, or has ended; the manager knows of it then, and
    /// that `pid` is the service's main process.
    void await_ready(pid_t pid, int pidfd);

  private:
    void send(const std::string& text);
    void wait_until_processed();

    sys::Fd manager_;
    sys::Fd payload_;
};

} // namespace coracle::container
