#pragma once

#include "channel_private.h"
#include "coracle/launch/stage.h"
#include "coracle/plan/launch_plan.h"
#include "coracle/sys/process.h"

#include <cstdint>
#include <string>
#include <vector>

/// What init and the executor of `exec` share: becoming the payload.
namespace coracle::launch {

/// "init:mounts" or "exec:identity" becomes this process's name, which tells the stage even of one
/// that was killed.
void show_stage(const char* role, Stage stage) noexcept;

/// A program about to be executed.
struct Payload {
    plan::ProcessPlan process;
    std::string executable;           ///< found in PATH
    std::vector<std::uint8_t> filter; ///< struct sock_filter[]; empty: none
    sys::Fd landlock;                 ///< the ruleset; empty: none
    unsigned fd_table_size = 0;       ///< of sys::FdTable
    sys::Fd notify;                   ///< for who starts it; empty: none
};

/// HOME, limits, ids, capabilities, cwd, signals; then looks the program up and takes the
/// filter. `root_fd` is the container's root, which is also this process's.
/// Runs in: init after pivot; executor. Throws: system, unsupported.
void prepare_payload(Payload& payload, int root_fd, sys::Dumpable dumpable, ChildEnd& channel,
                     std::vector<plan::Degradation>& degraded);

/// Takes the filter from the channel, if there is one and it has not been taken. Runs in: init,
/// executor. Throws: unsupported.
void take_filter(Payload& payload, const plan::ProcessPlan& process, ChildEnd& channel);

/// Says Accepted over `client` and becomes the program. `role` is for show_stage. Ends by execve,
/// or by _exit(1) after Failed was sent. Throws before Accepted: system.
/// Runs in: init, executor; last.
[[noreturn]] void execute_payload(Payload& payload, ChildEnd& client, const char* role);

} // namespace coracle::launch
