#include "channel_private.h"
#include "coracle/launch/launch.h"
#include "coracle/sys/process.h"
#include "coracle/sys/procfs.h"
#include "coracle/sys/socket.h"
#include "hooks_private.h"
#include "outcome_private.h"
#include "start_answer_private.h"

#include <cerrno>

namespace coracle::launch {

namespace {

constexpr std::chrono::seconds start_deadline{30};

[[noreturn]] void throw_nobody_waits() {
    throw_error(ErrorKind::wrong_state, "cannot start an already running container");
}

} // namespace

void open_gate(int dir_fd, const std::string& name, const WaitingInit& init, Stage& failed_stage) {
    sys::Fd socket;
    int errnum = sys::try_connect_at(dir_fd, name, start_deadline, socket);
    if (errnum == ECONNREFUSED || errnum == ENOENT) {
        throw_nobody_waits();
    }
    if (errnum != 0) {
        throw_system(errnum, "connect to the start gate");
    }
    StartEnd gate(std::move(socket));
    errnum = gate.try_send_start();
    if (errnum != 0 && errnum != EPIPE && errnum != ECONNRESET) {
        throw_system(errnum, "send Start to init");
    }
    std::optional<Received> accepted = receive_start_answer(
        {gate, "init", failed_stage}, patience_with(init.start_container_hooks, start_deadline));
    if (!accepted) { // init has let another client in, has ended, or could not read
        sys::Fd proc = sys::open_proc();
        require_gone_on(proc.get(), init.pid, init.pidfd, Stage::gate, "init");
        if (find_stage_name(proc.get(), init.pid) == name_of(Stage::gate)) {
            throw_error(ErrorKind::system, "init has not taken it and waits on: start it again");
        }
        throw_nobody_waits();
    }
    if (!std::holds_alternative<Accepted>(accepted->message)) {
        throw_error(ErrorKind::internal, "init sent an unexpected message at its start");
    }
    if (init.take_notify && accepted->fds.size() == 1) {
        init.take_notify(std::move(accepted->fds.front()));
    }
    await_execution({gate, "init", failed_stage}, start_deadline, init.take_listener);
    require_gone_on(sys::open_proc().get(), init.pid, init.pidfd, Stage::execve, "init");
}

bool is_gate_waiting(int dir_fd, const std::string& name) {
    int errnum = sys::try_reach_at(dir_fd, name);
    if (errnum == ECONNREFUSED || errnum == ENOENT) {
        return false;
    }
    if (errnum != 0 && errnum != EAGAIN) { // EAGAIN: the queue is full, so somebody listens
        throw_system(errnum, "ask at the start gate");
    }
    return true;
}

} // namespace coracle::launch
