#include "context_private.h"
#include "coracle/base/error.h"
#include "coracle/sys/process.h"

#include <poll.h>

namespace coracle::container {

namespace {

/// The kernel tells others how a process has ended once its parent has reaped it.
std::optional<int> find_status(int pidfd) {
    constexpr int rounds = 100;
    constexpr int pause = 10;
    std::optional<int> status = sys::find_exit_status(pidfd);
    for (int round = 0; !status && round < rounds; ++round) {
        (void)::poll(nullptr, 0, pause);
        status = sys::find_exit_status(pidfd);
    }
    return status;
}

} // namespace

std::optional<int> wait(const Context& context, const std::string& id) {
    Found found = require_container(context, id);
    if (found.status == Status::creating) {
        throw_error(ErrorKind::wrong_state,
                    "cannot wait for container " + id + ": it is still being created");
    }
    const sys::Fd& pidfd = found.init.pidfd;
    if (!pidfd) {
        return std::nullopt;
    }
    while (!sys::wait_for_exit(pidfd.get(), std::chrono::hours(24))) {
    }
    std::optional<int> status = find_status(pidfd.get());
    return status ? std::optional(sys::exit_code_of(*status)) : std::nullopt;
}

} // namespace coracle::container
