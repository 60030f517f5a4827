#include "network_helper_private.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/sys/file.h"
#include "coracle/sys/process.h"
#include "coracle/sys/procfs.h"
#include "coracle/sys/program.h"
#include "coracle/sys/socket.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace coracle::container {

namespace {

using sys::Fd;

/// Runs in: the watcher. `table`: the size of its table of fds; 0: close_range(2) works.
void close_between(unsigned first, unsigned end, unsigned table) {
    if (table == 0) {
        (void)::syscall(SYS_close_range, first, end - 1, 0U);
        return;
    }
    for (unsigned fd = first; fd < std::min(end, table); ++fd) {
        (void)::close(static_cast<int>(fd));
    }
}

/// Runs in: the watcher. Nothing of the parent's is kept open by it.
void close_all_but(std::array<int, 3> kept) {
    const unsigned table = sys::FdTable().size();
    Fd null = sys::open_at(AT_FDCWD, "/dev/null", O_RDWR);
    for (int stream = 0; stream < 3; ++stream) {
        (void)::dup3(null.get(), stream, 0);
    }
    std::ranges::sort(kept);
    unsigned first = 3;
    for (int fd : kept) {
        if (static_cast<unsigned>(fd) > first) {
            close_between(first, static_cast<unsigned>(fd), table);
        }
        first = static_cast<unsigned>(fd) + 1;
    }
    (void)null.release();
    close_between(first, ~0U, table);
}

/// What went wrong; empty if the program is in the background, and the network is there.
/// Runs in: the watcher.
std::string start_program(const std::vector<std::string>& command) {
    constexpr std::chrono::seconds limit{20};
    sys::ProgramCall call;
    call.path = command.front();
    call.argv = command;
    call.limit = limit;
    sys::ProgramResult result = sys::run_program(call);
    if (result.exec_errnum != 0) {
        return "execute " + printable(call.path) + ": " + describe_errno(result.exec_errnum);
    }
    if (result.timed_out) {
        return "it was not ready after 20 seconds";
    }
    if (result.status == 0) {
        return {};
    }
    std::string words;
    for (std::string_view line : split(result.output, '\n')) {
        bool is_noise = line.empty() || line.ends_with("bytes to syslog");
        if (!is_noise) {
            words += (words.empty() ? "" : "; ") + printable(line);
        }
    }
    constexpr std::size_t longest = 1000;
    return words.empty() ? "it " + sys::describe_wait_status(result.status)
                         : words.substr(0, longest);
}

/// The program has put itself into the background, and so it has become our child.
/// Runs in: the watcher.
void end_children() noexcept {
    try {
        for (;;) {
            std::vector<pid_t> children = sys::find_children();
            for (pid_t child : children) {
                (void)::kill(child, SIGKILL);
            }
            if (children.empty() || (::waitpid(-1, nullptr, 0) < 0 && errno == ECHILD)) {
                return;
            }
        }
    } catch (const std::exception&) { // catch: the edge of a process, which has nobody left to tell
    }
}

/// "+PID": the program, in the background. Runs in: the watcher.
std::string describe_child() {
    std::vector<pid_t> children = sys::find_children();
    return "+" + (children.empty() ? "" : std::to_string(children.front()));
}

/// Runs in: the watcher, with the network there.
void wait_for_the_end(int lifeline, int pidfd) {
    constexpr std::chrono::hours turn{24};
    while (sys::wait_readable(lifeline, sys::exit_fd_of(pidfd), turn) == sys::Ready::neither) {
    }
}

/// Runs in: the watcher.
[[noreturn]] void watch(const std::vector<std::string>& command, const Fd& lifeline, Fd report,
                        const Fd& pidfd) noexcept {
    bool failed = false;
    try {
        sys::set_process_name("coracle:network");
        (void)::setsid();                 // a signal to the group of the parent spares it
        (void)::signal(SIGPIPE, SIG_IGN); // the parent may be gone when it is told
        close_all_but({lifeline.get(), report.get(), pidfd.get()});
        sys::become_subreaper();
        std::string text = start_program(command);
        failed = !text.empty();
        sys::write_all(report.get(), failed ? text : describe_child(), "the report on pasta");
        report.reset();
        if (!failed) {
            wait_for_the_end(lifeline.get(), pidfd.get());
        }
    } catch (const std::exception& error) { // catch: the edge of a process
        failed = true;
        if (report) {
            (void)!::write(report.get(), error.what(), std::strlen(error.what()));
        }
    }
    end_children();
    ::_exit(failed ? 1 : 0);
}

} // namespace

NetworkHelper::NetworkHelper(const std::vector<std::string>& command, pid_t init) {
    std::string space = "/proc/" + std::to_string(init) + "/ns/";
    std::vector<std::string> whole = command;
    whole.insert(whole.end(), {"--userns", space + "user", "--netns", space + "net"});
    Fd pidfd;
    if (int errnum = sys::try_open_pidfd(init, pidfd); errnum != 0) {
        throw_system(errnum, "pasta: open init");
    }
    sys::become_subreaper(); // of the program, if its watcher is killed
    sys::Pipe life = sys::make_pipe();
    sys::Pipe report = sys::make_pipe();
    watcher_ = sys::clone_process();
    if (watcher_ == 0) {
        life.writer.reset();
        report.reader.reset();
        watch(whole, life.reader, std::move(report.writer), pidfd);
    }
    lifeline_ = std::move(life.writer);
    report.writer.reset();
    std::string text;
    try {
        constexpr std::size_t longest = 4096;
        text = sys::read_all(report.reader.get(), longest, "the report on pasta");
    } catch (const std::exception&) { // catch: nothing is left behind, rethrows
        end();
        throw;
    }
    if (text.starts_with('+')) {
        program_ = static_cast<pid_t>(
            parse_unsigned(std::string_view(text).substr(1), INT32_MAX).value_or(0));
    } else {
        end();
        throw_error(ErrorKind::system,
                    "pasta: " + (text.empty() ? "its watcher was killed" : text));
    }
}

void NetworkHelper::end() noexcept {
    lifeline_.reset();
    while (::waitpid(watcher_, nullptr, 0) < 0 && errno == EINTR) {
    }
    // Not ours unless the watcher was killed: then it lives, or is not reaped, and the pid is its.
    if (program_ > 0 && ::waitpid(program_, nullptr, WNOHANG) == 0) {
        (void)::kill(program_, SIGKILL);
        while (::waitpid(program_, nullptr, 0) < 0 && errno == EINTR) {
        }
    }
}

NetworkHelper::~NetworkHelper() {
    end();
}

} // namespace coracle::container
