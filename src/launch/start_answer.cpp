#include "start_answer_private.h"

#include "coracle/sys/socket.h"
#include "outcome_private.h"

namespace coracle::launch {

std::optional<Received> receive_start_answer(const StartTalk& talk,
                                             std::chrono::milliseconds patience) {
    if (sys::wait_readable(talk.channel.fd(), -1, patience) == sys::Ready::neither) {
        throw_error(ErrorKind::system, std::string(talk.role) +
                                           " does not execute the program within " +
                                           std::to_string(patience.count() / 1000) + " seconds");
    }
    std::optional<Received> received = talk.channel.receive();
    if (received) {
        if (const Failed* failed = std::get_if<Failed>(&received->message)) {
            talk.failed_stage = failed->stage;
            throw_failed(*failed, talk.role, talk.role, talk.channel);
        }
    }
    return received;
}

void await_execution(const StartTalk& talk, std::chrono::milliseconds patience,
                     const TakeListener& take_listener) {
    std::optional<Received> received = receive_start_answer(talk, patience);
    bool taken = false;
    if (received && take_listener && std::holds_alternative<Listener>(received->message) &&
        received->fds.size() == 1) {
        talk.failed_stage = Stage::seccomp;
        take_listener(std::move(received->fds.front()));
        talk.failed_stage = Stage::begin;
        taken = true;
        received = receive_start_answer(talk, patience);
    }
    if (!received && take_listener && !taken) {
        talk.failed_stage = Stage::seccomp;
        throw_error(ErrorKind::system,
                    std::string(talk.role) + ": seccomp: the listener of the filter has not come");
    }
    if (received) {
        throw_error(ErrorKind::internal,
                    std::string(talk.role) + " sent an unexpected message at its start");
    }
}

} // namespace coracle::launch
