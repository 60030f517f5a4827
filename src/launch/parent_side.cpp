#include "parent_side_private.h"

#include "coracle/sys/process.h"
#include "coracle/sys/procfs.h"
#include "outcome_private.h"
#include "start_answer_private.h"

#include <csignal>
#include <utility>

namespace coracle::launch {

namespace {

constexpr std::chrono::seconds usual_duration{1};

/// In clock ticks; 0 once there is no such process.
std::uint64_t find_cpu_time(int proc_fd, pid_t pid) {
    return sys::find_process_stat(proc_fd, pid).value_or(sys::ProcessStat{}).cpu_time;
}

} // namespace

void Child::adopt(pid_t new_pid) {
    pid = new_pid;
    int errnum = sys::try_open_pidfd(new_pid, pidfd);
    if (errnum != 0) {
        throw_system(errnum, "open a pidfd of process " + std::to_string(new_pid));
    }
    exit_fd = sys::exit_fd_of(pidfd.get());
}

int Child::reap() {
    pidfd.reset();
    exit_fd = -1;
    return sys::wait_for_child(std::exchange(pid, 0));
}

void Child::kill_and_reap() noexcept {
    if (pid <= 0) {
        return;
    }
    (void)::kill(pid, SIGKILL); // our own child, not reaped: the pid is still its own
    try {
        (void)reap();
    } catch (const std::exception&) { // catch: cleaning up; somebody else has reaped it
    }
}

/// Until there is a message or `child` has ended; neither once it has used no processor time for
/// the deadline.
sys::Ready ParentSide::wait_while_busy(const Child& child) const {
    sys::Ready ready = sys::wait_readable(channel.fd(), child.exit_fd, usual_duration);
    for (bool busy = true; ready == sys::Ready::neither && busy;) {
        std::uint64_t used = find_cpu_time(proc_fd, child.pid);
        ready = sys::wait_readable(channel.fd(), child.exit_fd, patience);
        busy = find_cpu_time(proc_fd, child.pid) > used;
    }
    return ready;
}

Received ParentSide::receive(Child& child, const char* role) {
    sys::Ready ready = wait_while_busy(child);
    if (ready == sys::Ready::neither) {
        throw_error(ErrorKind::system,
                    std::string(role) + " does not answer, and has not run for " +
                        std::to_string(patience.count() / 1000) + " seconds, at stage " +
                        find_stage_name(proc_fd, child.pid));
    }
    // What it sent before it ended counts, even if both came within one poll.
    bool has_message =
        ready == sys::Ready::first ||
        sys::wait_readable(channel.fd(), -1, std::chrono::milliseconds(0)) == sys::Ready::first;
    std::optional<Received> received = has_message ? channel.receive() : std::nullopt;
    if (!received) {
        std::string stage = find_stage_name(proc_fd, child.pid);
        throw_ended(stage, child.reap(), role);
    }
    if (const Failed* failed = std::get_if<Failed>(&received->message)) {
        failed_stage = failed->stage;
        throw_failed(*failed, role, payload, channel);
    }
    return std::move(*received);
}

void ParentSide::throw_unexpected(const Message& message, const char* role) {
    throw_error(ErrorKind::internal, std::string(role) + " sent an unexpected " + name_of(message));
}

std::vector<plan::Degradation> ParentSide::await_ready(Child& child, sys::Fd& console) {
    Received received = receive(child, payload);
    if (std::holds_alternative<Console>(received.message) && received.fds.size() == 1) {
        console = std::move(received.fds.front());
        received = receive(child, payload);
    }
    ReadyMessage* ready = std::get_if<ReadyMessage>(&received.message);
    if (ready == nullptr) {
        throw_unexpected(received.message, payload);
    }
    return std::move(ready->degraded);
}

void ParentSide::start(Child& child, const TakeListener& take_listener) {
    channel.send_start();
    (void)require<Accepted>(child, payload);
    // No pidfd here: a payload that is executed and ends at once is a success, and EOF says both.
    await_execution({channel, payload, failed_stage}, step_deadline, take_listener);
    require_gone_on(proc_fd, child.pid, child.pidfd.get(), Stage::execve, payload);
}

} // namespace coracle::launch
