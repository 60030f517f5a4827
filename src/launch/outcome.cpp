#include "outcome_private.h"

#include "coracle/base/text.h"
#include "coracle/sys/file.h"
#include "coracle/sys/process.h"
#include "coracle/sys/procfs.h"
#include "coracle/sys/refused.h"

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

namespace coracle::launch {

namespace {

/// What is likely to be wrong, where the kernel's word alone does not tell.
std::string hint_for(const Failed& failed) {
    if (failed.stage == Stage::execve && failed.errnum == ENOENT) {
        return "the file is there, so its interpreter or ELF loader is missing in the container";
    }
    if (failed.stage == Stage::execve && failed.errnum == ENOEXEC) {
        return "not an executable for this machine, or a script without #!";
    }
    if (failed.stage == Stage::execve && failed.errnum == EACCES) {
        return "not executable for the container's user, or its mount is noexec";
    }
    if (failed.stage == Stage::landlock && failed.errnum == EPERM) {
        return "it needs noNewPrivileges or CAP_SYS_ADMIN, and an outer container's filter that "
               "allows it";
    }
    if (failed.stage == Stage::landlock && failed.errnum == E2BIG) {
        return "more than 16 layers: the caller is restricted by Landlock too";
    }
    if (failed.stage == Stage::seccomp && failed.errnum == EINVAL) {
        return "the kernel does not know a flag or an action of /linux/seccomp";
    }
    if (failed.stage == Stage::seccomp && failed.errnum == EBUSY) {
        return "an outer container's filter has a listener, and the kernel allows one";
    }
    if (failed.stage == Stage::seccomp && failed.errnum == EACCES) {
        return "loading a filter without noNewPrivileges needs CAP_SYS_ADMIN";
    }
    return {};
}

} // namespace

void throw_failed(const Failed& failed, const char* role, const char* payload,
                  ChannelEnd& channel) {
    // It may come before the intermediate has said that it started the other.
    std::string text = failed.stage >= Stage::session ? payload : role;
    text += std::string(": ") + name_of(failed.stage) + ": ";
    std::string why;
    if (failed.stage == Stage::execve) { // from the bare zone: the program and the errno
        text += "exec \"" + printable(failed.text) + "\": " + describe_errno(failed.errnum);
        why = channel.receive_diagnosis();
    } else if (failed.stage == Stage::close) {
        text += std::string("the host's fds, before the program is executed: close_range: ") +
                describe_errno(failed.errnum);
    } else if (failed.stage == Stage::landlock) {
        text += std::string("landlock_restrict_self: ") + describe_errno(failed.errnum);
    } else if (failed.stage == Stage::seccomp) {
        // What is refused to init is refused here too.
        text += std::string("load the filter: ") + describe_errno(failed.errnum) +
                sys::describe_refusal(SYS_seccomp, failed.errnum);
    } else {
        text += failed.text;
    }
    const bool at_program = failed.stage == Stage::execve;
    Error error(at_program ? ErrorKind::not_executable : failed.kind, text, failed.errnum);
    error.explain(why.empty() ? hint_for(failed) : why);
    throw Error(std::move(error));
}

namespace {

/// The name of the process, with its newline; nothing if it cannot be read.
std::optional<std::string> find_process_name(int proc_fd, pid_t pid) {
    try {
        sys::Fd file = sys::open_at(proc_fd, sys::proc_path(pid, "comm"), O_RDONLY);
        return sys::read_all(file.get(), 64, "comm");
    } catch (const Error&) { // catch: less is known
        return std::nullopt;
    }
}

std::string stage_in(const std::string& name) {
    for (std::string_view prefix : {"mid:", "init:", "exec:"}) {
        if (name.starts_with(prefix)) {
            return name.substr(prefix.size(), name.find('\n') - prefix.size());
        }
    }
    return {};
}

} // namespace

std::string find_stage_name(int proc_fd, pid_t pid) {
    return stage_in(find_process_name(proc_fd, pid).value_or(""));
}

void require_gone_on(int proc_fd, pid_t pid, int pidfd, Stage left, const char* role) {
    // EOF comes when execve(2) closes the channel, a moment before it changes the process's name,
    // and also when the process dies: then the name stays, even a zombie's.
    constexpr int rounds = 5000; // milliseconds: memory is freed slowly on a busy machine
    for (int round = 0; round < rounds; ++round) {
        std::optional<std::string> name = find_process_name(proc_fd, pid);
        if (name && stage_in(*name) != name_of(left)) {
            return;
        }
        if (sys::wait_for_exit(pidfd, std::chrono::milliseconds(1))) {
            // Once more: it may have gone on and have ended since.
            name = find_process_name(proc_fd, pid);
            std::optional<int> status = sys::find_exit_status(pidfd);
            bool killed = status && WIFSIGNALED(*status);
            if (name ? stage_in(*name) == name_of(left) : killed) {
                throw_ended(name_of(left), status, role);
            }
            return;
        }
    }
}

void throw_ended(const std::string& stage, std::optional<int> status, const char* role) {
    std::string text = std::string(role) + " ";
    text += status ? sys::describe_wait_status(*status) : std::string("ended");
    text += stage.empty()
                ? " before it was ready"
                : " at stage " + stage + ", before the program of the container was executed";
    if (stage == name_of(Stage::execve)) {
        text += " (its seccomp filter forbids execve, and to say so)";
    } else if (status && WIFSIGNALED(*status) && WTERMSIG(*status) == SIGSYS) {
        text += " (a seccomp filter of the host or the container forbids a system call that is "
                "needed)";
    }
    throw_error(ErrorKind::system, text);
}

} // namespace coracle::launch
