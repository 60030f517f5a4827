#include "cgroup_private.h"
#include "coracle/base/error.h"
#include "coracle/cgroup/control.h"

namespace coracle::container {

void pause(const Context& context, const std::string& id) {
    Found found = require_container(context, id);
    LivingCgroup cgroup = require_cgroup(found, "pause");
    cgroup::freeze(cgroup.directory);
}

void resume(const Context& context, const std::string& id) {
    Found found = require_container(context, id);
    LivingCgroup cgroup = require_cgroup(found, "resume");
    if (!cgroup.directory.is_freezing()) {
        throw_error(ErrorKind::wrong_state, "resume: container not paused: " + id);
    }
    cgroup::thaw(cgroup.directory);
}

} // namespace coracle::container
