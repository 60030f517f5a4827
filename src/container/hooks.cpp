#include "hooks_private.h"

#include "cgroup_private.h"
#include "coracle/base/error.h"
#include "coracle/base/log.h"
#include "coracle/cgroup/resctrl.h"
#include "coracle/host/resctrl.h"
#include "coracle/launch/launch.h"
#include "coracle/plan/make_launch_plan.h"
#include "coracle/sys/procfs.h"
#include "view_private.h"

namespace coracle::container {

std::string describe_state(const spec::Record& record, const char* status, pid_t pid) {
    spec::ContainerView view = make_view(record, Status::creating);
    view.status = status;
    view.pid = pid;
    view.owner = owner_name(record.owner);
    return spec::write_state(view);
}

void run_poststart_hooks(const spec::Record& record) {
    if (record.hooks.poststart.empty()) {
        return;
    }
    launch::run_hooks(plan::make_hooks(record.hooks.poststart, "poststart"),
                      plan::make_hook_output(record.annotations), record.bundle,
                      describe_state(record, name_of(Status::running), record.pid));
}

void run_poststop_hooks(const spec::Record& record) {
    if (record.hooks.poststop.empty()) {
        return;
    }
    std::string state = describe_state(record, name_of(Status::stopped), 0);
    for (plan::Hook& hook : plan::make_hooks(record.hooks.poststop, "poststop")) {
        try {
            launch::run_hooks({std::move(hook)}, plan::make_hook_output(record.annotations),
                              record.bundle, state);
        } catch (const Error& error) { // catch: runtime-spec runtime.md#lifecycle, step 13
            log::error(error.text() + "; the container is deleted all the same");
        }
    }
}

void remove_with_hooks(const ContainerDir& dir, const spec::Record& record) {
    remove_cgroup(record);
    if (!record.resctrl.empty()) {
        cgroup::remove_resctrl_groups(host::find_resctrl(sys::open_proc().get()), record.resctrl);
    }
    if (!record.hooks.poststop.empty()) {
        dir.retire();
        run_poststop_hooks(record);
    }
    dir.remove();
}

void destroy(Found& found) {
    try {
        kill_init(found.init);
        if (found.dir.lock()) { // else another has deleted it
            remove_with_hooks(found.dir, found.record);
        }
    } catch (const Error& error) { // catch: as the header says
        log::error("destroy container " + found.record.id + ": " + error.text());
    }
}

} // namespace coracle::container
