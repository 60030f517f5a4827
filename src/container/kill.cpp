#include "context_private.h"
#include "coracle/base/error.h"
#include "coracle/base/names.h"
#include "coracle/sys/process.h"

#include <cerrno>

namespace coracle::container {

void kill(const Context& context, const std::string& id, int signal, KillScope scope) {
    Found found = require_container(context, id);
    bool alive = found.status == Status::created || found.status == Status::running;
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
