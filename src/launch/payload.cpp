#include "payload_private.h"

#include "coracle/base/exception.h"
#include "coracle/security/landlock.h"
#include "coracle/security/process_attributes.h"
#include "exec_tail_private.h"
#include "inspect_private.h"
#include "listener_sender_private.h"
#include "process_setup_private.h"

#include <array>
#include <cerrno>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <optional>
#include <unistd.h>
#include <utility>

namespace coracle::launch {

void show_stage(const char* role, Stage stage) noexcept {
    sys::set_process_name((std::string(role) + ":" + name_of(stage)).c_str());
}

namespace {

void send_accepted(ChildEnd& channel, const Payload& payload) {
    std::array<int, 1> fds{payload.notify.get()};
    int errnum = channel.try_send_accepted(std::span<const int>(fds).first(payload.notify ? 1 : 0));
    bool gone = errnum == EPIPE || errnum == ECONNRESET;
    if (gone && payload.process.parent_death_signal != 0) {
        ::_exit(1); // the creator died before its death was to be told
    }
    // A client that died after Start has asked for it all the same.
    if (errnum != 0 && !gone) {
        throw_system(errnum, "send Accepted");
    }
}

/// Best effort, under the payload's filter and limits: the client has been told the errno already,
/// so this process may be killed here.
void explain_failed_execve(const Payload& payload, int errnum, ChildEnd& client) noexcept {
    try {
        sys::close_standard_streams(); // RLIMIT_NOFILE may be as low as the fds that are open
        std::string why = explain_not_executed(payload.executable, errnum);
        if (why.empty() && errnum == EACCES && payload.process.landlock) {
            why = "org.coracle.landlock lets neither it nor its interpreter or ELF loader be "
                  "executed, or its mount is noexec";
        }
        client.send_diagnosis(std::move(why));
    } catch (const std::exception&) { // catch: the client does without
    }
}

} // namespace

void prepare_payload(Payload& payload, int root_fd, sys::Dumpable dumpable, ChildEnd& channel,
                     std::vector<plan::Degradation>& degraded) {
    plan::ProcessPlan& process = payload.process;
    add_home(process, root_fd, process.env);
    if (process.landlock) { // whose paths the container's user need not reach
        payload.landlock = security::make_landlock_ruleset(*process.landlock, root_fd);
    }
    if (process.own_core_cookie) {
        security::make_core_cookie(degraded);
    }
    set_up_process(process, dumpable, degraded);
    if (!process.args.empty()) {
        payload.executable = find_executable(process.args.front(), process.env);
    }
    take_filter(payload, process, channel);
}

void take_filter(Payload& payload, const plan::ProcessPlan& process, ChildEnd& channel) {
    if (!process.has_filter || !payload.filter.empty()) {
        return;
    }
    payload.filter = channel.require<Filter>().program;
    std::size_t count = payload.filter.size() / sizeof(struct sock_filter);
    if (count == 0 || count > BPF_MAXINSNS) {
        throw_error(ErrorKind::unsupported, "/linux/seccomp: the filter has " +
                                                std::to_string(count) +
                                                " instructions, more than the kernel's 4096");
    }
}

void execute_payload(Payload& payload, ChildEnd& client, const char* role) {
    plan::ProcessPlan& process = payload.process;
    std::vector<char*> argv = sys::pointers_to(process.args);
    std::vector<char*> envp = sys::pointers_to(process.env);
    std::vector<std::uint8_t> failure = encode_bare_failure(process.args.front());
    ExecTail tail{};
    tail.path = payload.executable.c_str();
    tail.argv = argv.data();
    tail.envp = envp.data();
    tail.landlock = payload.landlock.get();
    tail.filter = payload.filter.empty() ? nullptr : payload.filter.data();
    tail.filter_count =
        static_cast<unsigned short>(payload.filter.size() / sizeof(struct sock_filter));
    tail.filter_flags = process.filter_flags;
    tail.first_closed_fd = 3 + process.preserve_fds;
    tail.fd_table_size = payload.fd_table_size;
    tail.report_fd = client.fd();
    tail.failure = failure.data();
    tail.failure_size = failure.size();
    std::optional<ListenerSender> sender;
    if ((process.filter_flags & SECCOMP_FILTER_FLAG_NEW_LISTENER) != 0) {
        sender.emplace(client);
        tail.listener = sender->slot();
    }
    apply_final_rlimits(process);
    // First: whoever is told Accepted tells a death here by this name.
    show_stage(role, Stage::execve);
    if (process.parent_death_signal != 0) { // after the ids, whose change clears it
        sys::set_parent_death_signal(process.parent_death_signal);
    }
    send_accepted(client, payload);
    if (sender) {
        sender->start();
        tail.listener_sender = sender->pid();
    }
    int errnum = execute(tail);
    explain_failed_execve(payload, errnum, client);
    ::_exit(1);
}

} // namespace coracle::launch
