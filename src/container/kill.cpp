#include "cgroup_private.h"
#include "coracle/base/error.h"
#include "coracle/base/names.h"
#include "coracle/cgroup/control.h"
#include "coracle/sys/process.h"

#include <cerrno>

namespace coracle::container {

namespace {

/// Whether there is a cgroup, whose processes have got the signal: also what a container that has
/// stopped has left there.
bool signal_cgroup(const Found& found, int signal) {
    std::optional<cgroup::Location> location = find_location(found.record);
    std::optional<cgroup::Directory> directory =
        location && location->id != 0 ? cgroup::find_directory(*location) : std::nullopt;
    return directory && cgroup::signal_all(*directory, signal);
}

} // namespace

void kill(const Context& context, const std::string& id, int signal, KillScope scope) {
    Found found = require_container(context, id);
    if (scope == KillScope::all && signal_cgroup(found, signal)) {
        return;
    }
    bool alive = is_alive(found.status);
    int errnum = alive ? sys::try_send_signal(found.init.pidfd.get(), signal) : ESRCH;
    if (errnum == ESRCH && scope == KillScope::all) {
        return;
    }
    if (errnum == ESRCH) {
        throw_error(ErrorKind::wrong_state, "container not running: " + id);
    }
    if (errnum != 0) {
        throw_system(errnum, "kill '" + id + "': send " + signal_name(signal));
    }
}

} // namespace coracle::container
