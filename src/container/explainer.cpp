#include "explainer_private.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/plan/seccomp.h"
#include "coracle/sys/file.h"
#include "coracle/sys/process.h"
#include "coracle/sys/procfs.h"

#include <algorithm>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <linux/seccomp.h>

namespace coracle::container {

namespace {

constexpr std::size_t most_programs = 4; ///< that a line names

bool kills(std::uint32_t answer) noexcept {
    const std::uint32_t action = answer & SECCOMP_RET_ACTION_FULL;
    return action == SECCOMP_RET_KILL_PROCESS || action == SECCOMP_RET_KILL_THREAD;
}

} // namespace

std::string describe_answer(std::uint32_t answer) {
    const int data = static_cast<int>(answer & SECCOMP_RET_DATA);
    switch (answer & SECCOMP_RET_ACTION_FULL) {
    case SECCOMP_RET_ALLOW:
        return "allowed";
    case SECCOMP_RET_LOG:
        return "allowed and logged";
    case SECCOMP_RET_ERRNO: {
        const char* name = ::strerrorname_np(data);
        return data == 0         ? "skipped, as if it had returned 0"
               : name == nullptr ? "refused with error " + std::to_string(data)
                                 : std::string("refused with ") + name;
    }
    case SECCOMP_RET_TRAP:
        return "refused with the signal SIGSYS";
    case SECCOMP_RET_TRACE:
        return "refused with ENOSYS unless a tracer decides";
    case SECCOMP_RET_USER_NOTIF:
        return "left to the agent of the filter";
    case SECCOMP_RET_KILL_THREAD:
        return "refused: its thread is killed";
    default:
        return "refused: its process is killed";
    }
}

Explainer::Explainer(const spec::Config& config, int proc_fd)
    : filter_(security::compile_seccomp(plan::make_seccomp_plan(config))), proc_fd_(proc_fd) {}

void Explainer::answer_waiting() {
    while (listener_) {
        switch (sys::poll_seccomp_listener(listener_.get())) {
        case sys::SeccompListenerState::quiet:
            return;
        case sys::SeccompListenerState::over:
            listener_.reset(); // it would be readable for ever
            return;
        case sys::SeccompListenerState::waiting:
            if (std::optional<sys::SeccompNotification> notification =
                    sys::receive_seccomp_notification(listener_.get())) {
                answer(*notification);
            }
        }
    }
}

void Explainer::answer(const sys::SeccompNotification& notification) {
    const security::SystemCall call{notification.architecture, notification.number,
                                    notification.arguments};
    const std::uint32_t answer = security::answer_of(filter_, call);
    if (!plan::is_refusal(answer)) { // the explained filter asks about more than it has to
        (void)sys::let_notified_call_go(listener_.get(), notification.id);
        return;
    }
    const std::string program = find_program(notification.pid);
    bool counts = true;
    if (kills(answer)) {
        kill(notification);
    } else {
        counts = sys::refuse_notified_call(listener_.get(), notification.id,
                                           static_cast<int>(answer & SECCOMP_RET_DATA));
    }
    if (counts) { // else a signal has come between, and the call is made again
        Seen& seen = refused_[{security::describe_system_call(call), answer}];
        ++seen.times;
        if (!program.empty() && seen.programs.size() < most_programs) {
            seen.programs.insert(program);
        }
    }
}

/// SIGSYS would not end the first process of a pid namespace.
void Explainer::kill(const sys::SeccompNotification& notification) {
    sys::Fd pidfd;
    if (notification.pid > 0 && sys::try_open_pidfd(notification.pid, pidfd) == 0 &&
        sys::is_waiting_for_answer(listener_.get(), notification.id)) {
        (void)sys::try_send_signal(pidfd.get(), SIGKILL);
        killed_.insert(notification.pid);
    } else { // it is refused all the same
        (void)sys::refuse_notified_call(listener_.get(), notification.id, EPERM);
    }
}

/// As long as its call waits, the pid is its own.
std::string Explainer::find_program(pid_t pid) const {
    try {
        constexpr std::size_t longest = 64;
        const sys::Fd file = sys::open_at(proc_fd_, sys::proc_path(pid, "comm"), O_RDONLY);
        std::string name = sys::read_all(file.get(), longest, "comm");
        return printable(std::string_view(name).substr(0, name.find('\n')));
    } catch (const Error&) { // catch: it has ended, or /proc hides it; less is known
        return {};
    }
}

std::vector<std::string> Explainer::report() const {
    std::vector<std::string> lines;
    for (const auto& [what, seen] : refused_) {
        const auto& [call, answer] = what;
        const std::vector<std::string> programs(seen.programs.begin(), seen.programs.end());
        lines.push_back(
            "seccomp: " + call + " was " + describe_answer(answer) + ", " +
            std::to_string(seen.times) + (seen.times == 1 ? " time" : " times") +
            (programs.empty() ? "" : ", called by " + join(programs, ", ")) +
            (call.find(' ') == std::string::npos ? "; it is allowed by --seccomp +" + call : ""));
    }
    if (lines.empty()) {
        lines.emplace_back("seccomp: no call was seen to be refused");
    }
    return lines;
}

} // namespace coracle::container
