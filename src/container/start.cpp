#include "context_private.h"
#include "coracle/base/error.h"
#include "coracle/plan/make_launch_plan.h"
#include "hooks_private.h"
#include "notify_private.h"
#include "seccomp_agent_private.h"

namespace coracle::container {

namespace {

/// Source: runtime-spec runtime.md#lifecycle, steps 7 and 9: the container of a failed hook is
/// destroyed.
void start_created(Found& found, NotifyProxy* notify) {
    const spec::Record& record = found.record;
    std::function<void(sys::Fd)> take_notify;
    if (notify != nullptr) {
        take_notify = [notify](sys::Fd socket) { notify->take(std::move(socket)); };
    }
    launch::Stage failed_stage = launch::Stage::begin;
    bool started = false;
    try {
        found.dir.open_gate({record.pid, found.init.pidfd.get(),
                             plan::make_hooks(record.hooks.start_container, "startContainer"),
                             connect_to_agent(record, record.pid), take_notify},
                            failed_stage);
        started = true;
        run_poststart_hooks(record);
    } catch (const std::exception&) { // catch: undoes, rethrows
        if (started || failed_stage == launch::Stage::hooks) {
            destroy(found);
        } else if (failed_stage == launch::Stage::seccomp) {
            kill_init(found.init); // it runs, and nobody answers for it
        }
        throw;
    }
}

} // namespace

void start(const Context& context, const std::string& id) {
    Found found = require_container(context, id);
    switch (found.status) {
    case Status::creating:
        throw_error(ErrorKind::wrong_state,
                    "cannot start container " + id + ": it is still being created");
    case Status::stopped:
        throw_error(ErrorKind::wrong_state, "cannot start a container that has stopped");
    case Status::paused:
        throw_error(ErrorKind::wrong_state,
                    "cannot start a paused container: resume " + id + " first");
    case Status::running:
        throw_error(ErrorKind::wrong_state, "cannot start an already running container");
    case Status::created:
        break;
    }
    in_context([&] { return "start '" + id + "'"; },
               [&] {
                   std::optional<NotifyProxy> notify;
                   if (has_service_manager()) {
                       notify.emplace();
                   }
                   start_created(found, notify ? &*notify : nullptr);
                   if (notify && notify->fd() >= 0) {
                       notify->await_ready(found.record.pid, found.init.pidfd.get());
                   }
               });
}

} // namespace coracle::container
