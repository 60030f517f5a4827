#pragma once

#include "channel_private.h"
#include "protocol_private.h"

#include <optional>
#include <string>
#include <sys/types.h>

namespace coracle::launch {

/// Throws what `failed`, which came over `channel`, says: "init: mounts: <text>", with the
/// diagnosis that follows it, or a hint where one is known. `role` was waited for; `payload` is the
/// role that becomes the payload, whose failure may come earlier.
[[noreturn]] void throw_failed(const Failed& failed, const char* role, const char* payload,
                               ChannelEnd& channel);

/// The stage in a process's name, even of one that is a zombie; "" if it cannot be read.
[[nodiscard]] std::string find_stage_name(int proc_fd, pid_t pid);

/// Throws that the peer has ended without a word; `status` is its wait status, if known.
[[noreturn]] void throw_ended(const std::string& stage, std::optional<int> status,
                              const char* role);

/// After EOF: returns once `role` has left that stage, and throws if it has died there. One that
/// was reaped by another process meanwhile counts as gone on.
void require_gone_on(int proc_fd, pid_t pid, int pidfd, Stage left, const char* role);

} // namespace coracle::launch
