#pragma once

#include "channel_private.h"
#include "coracle/plan/launch_plan.h"
#include "coracle/sys/fd.h"

#include <string>

namespace coracle::launch {

/// The hooks that init runs. Runs in: init.
class ContainerHooks {
  public:
    /// Takes what the parent sends for them; nothing if the plan has none. Throws: internal.
    void receive(ChildEnd& channel, const plan::InitPlan& plan);
    /// In the container's namespaces, while paths are still those of the host; with the root
    /// `root_fd` as the working directory. Throws: system, naming the hook.
    void run_create_container(const plan::InitPlan& plan, int root_fd) const;
    /// As the container's process, which is complete but for its filter. Throws: system, naming the
    /// hook.
    void run_start_container(const plan::InitPlan& plan) const;

  private:
    HookStates states_;
    sys::Fd output_;
    sys::Fd errors_;
};

} // namespace coracle::launch
