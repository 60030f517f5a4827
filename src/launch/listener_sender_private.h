#pragma once

#include "channel_private.h"

#include <sys/types.h>

namespace coracle::launch {

/// Sends the listener of the filter to who asked for the start. Init cannot do that itself: the
/// filter may refuse sendmsg(2), or have it notified to the very one who gets the listener. So
/// another process does, which is not under the filter and shares init's fds.
/// Runs in: init, last before the bare zone.
class ListenerSender {
  public:
    /// Borrows the channel. Throws: system.
    explicit ListenerSender(ChildEnd& channel);
    ListenerSender(const ListenerSender&) = delete;
    ListenerSender& operator=(const ListenerSender&) = delete;
    ListenerSender(ListenerSender&&) = delete;
    ListenerSender& operator=(ListenerSender&&) = delete;
    ~ListenerSender();

    /// Starts the process, which waits for the slot. Throws: system.
    void start();
    [[nodiscard]] pid_t pid() const noexcept { return pid_; }
    /// Where the number of the listener is put once the filter is loaded; it is -1 before, and when
    /// it has been sent.
    [[nodiscard]] int* slot() const noexcept { return slot_; }

  private:
    ChildEnd& channel_;
    int* slot_ = nullptr;
    pid_t pid_ = 0;
};

} // namespace coracle::launch
