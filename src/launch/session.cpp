#include "session_private.h"

#include "coracle/base/error.h"
#include "coracle/sys/file.h"
#include "coracle/sys/process.h"

#include <cerrno>

namespace coracle::launch {

namespace {

/// Those of containers that have just ended count until the kernel has collected them, which takes
/// it some 10 ms for all that have ended until then.
int try_join_where_there_is_room(const std::string& name) {
    constexpr int most_tries = 50;
    int errnum = sys::try_join_session_keyring(name);
    for (int tries = 0; errnum == EDQUOT && tries < most_tries; ++tries) {
        sys::pause_for(std::chrono::milliseconds(20));
        errnum = sys::try_join_session_keyring(name);
    }
    return errnum;
}

} // namespace

void join_session_keyring(const std::string& id, std::vector<plan::Degradation>& degraded) {
    int errnum = try_join_where_there_is_room("_ses." + id);
    if (errnum == EDQUOT) {
        throw_system(errnum, "make a session keyring (raise kernel.keys.maxkeys, or give "
                             "--no-new-keyring)");
    }
    if (errnum == EEXIST) {
        degraded.push_back({"session keyring", "another user has a keyring named _ses." + id +
                                                   ", so each process gets one of its own"});
    } else if (errnum == EPERM || errnum == EACCES) { // the filter of an outer container, or an LSM
        degraded.push_back(
            {"session keyring",
             std::string("the caller's is kept, or exec does not find the container's: ") +
                 describe_errno(errnum)});
    } else if (errnum != 0 && errnum != ENOSYS) { // ENOSYS: the kernel has no keyrings
        throw_system(errnum, "make a session keyring (--no-new-keyring keeps the caller's)");
    }
}

sys::Pty open_terminal(int pts_directory, const plan::ProcessPlan& process) {
    sys::Pty pty = sys::open_pty(pts_directory);
    if (process.terminal_height != 0 || process.terminal_width != 0) {
        sys::set_window_size(pty.manager.get(), process.terminal_height, process.terminal_width);
    }
    sys::try_give_to(pty.peer.get(), process.uid);
    return pty;
}

} // namespace coracle::launch
