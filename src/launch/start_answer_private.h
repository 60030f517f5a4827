#pragma once

#include "channel_private.h"
#include "coracle/launch/launch.h"

#include <chrono>
#include <optional>

namespace coracle::launch {

/// Whom a start is asked of. Borrowed.
struct StartTalk {
    ChannelEnd& channel;
    const char* role;    ///< "init" or "exec", for messages
    Stage& failed_stage; ///< told where it failed
};

/// The next message after Start; nothing at EOF. Throws: what it says has failed; system, if it
/// says nothing within `patience`. Runs in: parent.
[[nodiscard]] std::optional<Received> receive_start_answer(const StartTalk& talk,
                                                           std::chrono::milliseconds patience);

/// After Accepted: passes the listener on, if the filter has one, and returns at EOF.
/// Throws: as receive_start_answer; internal; what `take_listener` throws, at Stage::seccomp.
/// Runs in: parent.
void await_execution(const StartTalk& talk, std::chrono::milliseconds patience,
                     const TakeListener& take_listener);

} // namespace coracle::launch
