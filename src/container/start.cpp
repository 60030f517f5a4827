#include "context_private.h"
#include "coracle/base/error.h"
#include "coracle/plan/make_launch_plan.h"
#include "hooks_private.h"
#include "seccomp_agent_private.h"

namespace coracle::container {

namespace {

/// Source: runtime-spec runtime.md#lifecycle, steps 7 and 9: the container of a failed hook is
/// destroyed.
void start_created(Found& found) {
    const spec::Record& record = found.record;
    launch::Stage failed_stage = launch::Stage::begin;
    bool started = false;
    try {
        found.dir.open_gate({record.pid, found.init.pidfd.get(),
                             plan::make_hooks(record.hooks.start_container, "startContainer"),
                             connect_to_agent(record, record.pid)},
                            failed_stage);
        started = true;
        run_poststart_hooks(record);
    } catch (const Error&) { // catch: undoes, rethrows
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
    in_context([&] { return "start '" + id + "'"; }, [&] { start_created(found); });
}

} // namespace coracle::container
