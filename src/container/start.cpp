#include "context_private.h"
#include "coracle/base/error.h"

namespace coracle::container {

void start(const Context& context, const std::string& id) {
    Found found = require_container(context, id);
    switch (found.status) {
    case Status::creating:
        throw_error(ErrorKind::wrong_state,
                    "cannot start container " + id + ": it is still being created");
    case Status::stopped:
        throw_error(ErrorKind::wrong_state, "cannot start a container that has stopped");
    case Status::running:
        throw_error(ErrorKind::wrong_state, "cannot start an already running container");
    case Status::created:
        break;
    }
    in_context([&] { return "start '" + id + "'"; },
               [&] { found.dir.open_gate(found.record.pid, found.init.pidfd.get()); });
}

} // namespace coracle::container
