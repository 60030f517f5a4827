#include "init_hooks_private.h"

#include "coracle/base/error.h"
#include "hooks_private.h"

#include <sys/stat.h>
#include <sys/wait.h>

namespace coracle::launch {

namespace {

/// What hooks have left behind and has ended since is not the payload's to find.
void reap_ended() noexcept {
    while (::waitpid(-1, nullptr, WNOHANG) > 0) {
    }
}

} // namespace

void ContainerHooks::receive(ChildEnd& channel, const plan::InitPlan& plan) {
    if (plan.create_container_hooks.empty() && plan.start_container_hooks.empty()) {
        return;
    }
    std::vector<sys::Fd> fds;
    states_ = channel.require<HookStates>(&fds);
    std::size_t expected = (states_.has_output ? 1U : 0U) + (states_.has_errors ? 1U : 0U);
    if (fds.size() != expected) {
        throw_error(ErrorKind::internal, "the hooks came without their output files");
    }
    if (states_.has_output) {
        output_ = std::move(fds.front());
    }
    if (states_.has_errors) {
        errors_ = std::move(fds.back());
    }
}

void ContainerHooks::run_create_container(const plan::InitPlan& plan, int root_fd) const {
    constexpr mode_t usual = 022;
    mode_t before = ::umask(usual);
    run_hooks(plan.create_container_hooks, {output_.get(), errors_.get(), root_fd},
              states_.create_container);
    (void)::umask(before);
    reap_ended();
}

void ContainerHooks::run_start_container(const plan::InitPlan& plan) const {
    run_hooks(plan.start_container_hooks, {output_.get(), errors_.get(), -1},
              states_.start_container);
    reap_ended();
}

} // namespace coracle::launch
