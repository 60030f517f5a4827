#include "coracle/sys/program.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/sys/file.h"
#include "coracle/sys/process.h"
#include "coracle/sys/socket.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace coracle::sys {

namespace {

constexpr std::size_t max_output_bytes = std::size_t{64} << 10;

void reset_signals() noexcept {
    struct sigaction action {};
    action.sa_handler = SIG_DFL;
    for (int number = 1; number < NSIG; ++number) {
        (void)::sigaction(number, &action, nullptr); // EINVAL for SIGKILL, SIGSTOP and libc's own
    }
    sigset_t none;
    ::sigemptyset(&none);
    (void)::sigprocmask(SIG_SETMASK, &none, nullptr);
}

/// A file of its own that holds `text`, to be read from the start: unlike a pipe it takes all of it
/// before anybody reads.
Fd make_input(const std::string& text) {
    if (text.empty()) {
        return open_at(AT_FDCWD, "/dev/null", O_RDONLY);
    }
    Fd file;
    if (try_make_memory_file("coracle-stdin", file) != 0) {
        file = make_nameless_file();
    }
    write_all(file.get(), text, "the standard input of a program");
    if (::lseek(file.get(), 0, SEEK_SET) != 0) {
        int saved = errno;
        throw_system(saved, "rewind the standard input of a program");
    }
    return file;
}

struct Streams {
    int input;
    int output;
    int errors;
    int report; ///< where a failed execve(2) is told
};

/// Runs in: the child that becomes the program.
[[noreturn]] void become_program(const ProgramCall& call, const Streams& streams, pid_t parent,
                                 std::vector<char*>& argv, std::vector<char*>& environment) {
    int errnum = 0;
    try {
        set_parent_death_signal();
        if (::getppid() != parent) { // it died before that
            ::_exit(127);
        }
        (void)::setsid();
        reset_signals();
        if (call.directory >= 0) {
            change_directory(call.directory);
        }
        if (call.prepare) {
            call.prepare();
        }
        if (::dup3(streams.input, 0, 0) == 0 && ::dup3(streams.output, 1, 0) == 1 &&
            ::dup3(streams.errors, 2, 0) == 2) {
            close_on_exec_from(3); // the caller's too, which it passes on to the container
            ::execve(call.path.c_str(), argv.data(), environment.data());
        }
        errnum = errno;
    } catch (const Error& error) { // catch: the edge of a process
        errnum = error.errnum() != 0 ? error.errnum() : EINVAL;
    } catch (const std::exception&) { // catch: the edge of a process
        errnum = ENOMEM;
    }
    (void)!::write(streams.report, &errnum, sizeof errnum);
    ::_exit(127);
}

using Clock = std::chrono::steady_clock;

/// A running program, seen from the process that has started it.
class Attendance {
  public:
    Attendance(pid_t pid, Fd reader, ProgramResult& result)
        : pid_(pid), reader_(std::move(reader)), result_(result) {
        (void)try_open_pidfd(pid, pidfd_); // without it the end is looked for now and then
        if (::fcntl(reader_.get(), F_SETFL, O_NONBLOCK) != 0) {
            int saved = errno;
            throw_system(saved, "make a pipe non-blocking");
        }
    }
    /// Waits for the end of the program, and keeps what it writes meanwhile; false at `end`.
    bool wait(std::optional<Clock::time_point> end) {
        constexpr std::chrono::milliseconds pause{10};
        constexpr std::chrono::hours long_time{24};
        int exit_fd = pidfd_ ? exit_fd_of(pidfd_.get()) : -1;
        while (!has_ended()) {
            std::chrono::milliseconds rest = long_time;
            if (end) {
                rest = std::chrono::duration_cast<std::chrono::milliseconds>(*end - Clock::now());
            }
            if (rest.count() <= 0) {
                return false;
            }
            (void)wait_readable(reader_.get(), exit_fd,
                                exit_fd >= 0 ? rest : std::min(rest, pause));
            keep_output();
        }
        keep_output();
        return true;
    }
    /// Ends it, with all that is still in its process group.
    void kill() {
        (void)::kill(-pid_, SIGKILL);
        (void)::kill(pid_, SIGKILL); // a child of ours, not reaped: the pid is still its own
        result_.status = wait_for_child(pid_);
        keep_output();
    }

  private:
    bool has_ended() {
        int status = 0;
        if (::waitpid(pid_, &status, WNOHANG) != pid_) {
            return false;
        }
        result_.status = status;
        return true;
    }
    /// What is there now. Others may hold the pipe open after the program's end.
    void keep_output() {
        std::array<char, 4096> buffer{};
        while (reader_) {
            ssize_t count = ::read(reader_.get(), buffer.data(), buffer.size());
            if (count < 0 && errno == EINTR) {
                continue;
            }
            if (count < 0 && errno == EAGAIN) {
                return;
            }
            if (count <= 0) {
                reader_.reset();
                return;
            }
            result_.output.append(buffer.data(), static_cast<std::size_t>(count));
            if (result_.output.size() > max_output_bytes) {
                result_.output.erase(0, result_.output.size() - max_output_bytes);
            }
        }
    }

    pid_t pid_;
    Fd reader_;
    Fd pidfd_;
    ProgramResult& result_;
};

void attend(pid_t pid, Fd reader, std::optional<std::chrono::milliseconds> limit,
            ProgramResult& result) {
    std::optional<Clock::time_point> end;
    if (limit) {
        end = Clock::now() + *limit;
    }
    try {
        Attendance attendance(pid, std::move(reader), result);
        if (!attendance.wait(end)) {
            result.timed_out = true;
            attendance.kill();
        }
    } catch (const std::exception&) { // catch: nothing is left behind, rethrows
        (void)::kill(pid, SIGKILL);
        (void)::waitpid(pid, nullptr, 0);
        throw;
    }
}

} // namespace

ProgramResult run_program(const ProgramCall& call) {
    std::vector<std::string> argv_texts = call.argv;
    std::vector<std::string> environment_texts = call.environment;
    std::vector<char*> argv = pointers_to(argv_texts);
    std::vector<char*> environment = pointers_to(environment_texts);
    Fd input = make_input(call.input);
    Pipe kept = make_pipe();
    Pipe report = make_pipe();
    pid_t parent = ::getpid();
    pid_t pid = clone_process();
    if (pid == 0) {
        Streams streams{input.get(), call.output < 0 ? kept.writer.get() : call.output,
                        call.errors < 0 ? kept.writer.get() : call.errors, report.writer.get()};
        become_program(call, streams, parent, argv, environment);
    }
    kept.writer.reset();
    report.writer.reset();
    ProgramResult result;
    attend(pid, std::move(kept.reader), call.limit, result);
    int errnum = 0;
    if (::read(report.reader.get(), &errnum, sizeof errnum) == sizeof errnum) { // EOF: executed
        result.exec_errnum = errnum;
    }
    return result;
}

ProgramResult run_program(const std::string& path, const std::vector<std::string>& arguments,
                          std::chrono::milliseconds limit) {
    ProgramCall call;
    call.path = path;
    call.argv = {path};
    call.argv.insert(call.argv.end(), arguments.begin(), arguments.end());
    call.environment = {"PATH=" + program_search_path(), "LC_ALL=C"};
    call.limit = limit;
    ProgramResult result = run_program(call);
    if (result.exec_errnum != 0) {
        result.output = describe_errno(result.exec_errnum);
    }
    return result;
}

std::string program_search_path() {
    const char* path = std::getenv("PATH");
    bool usable = path != nullptr && *path != '\0';
    return usable ? path : "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
}

std::string find_program(const std::string& name, const std::string& search_path) {
    for (std::string_view directory : split(search_path, ':')) {
        if (!directory.starts_with('/')) {
            continue; // the working directory is not a place for programs
        }
        std::string path = std::string(directory) + "/" + name;
        struct stat status {};
        if (::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
            ::faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) == 0) {
            return path;
        }
    }
    return {};
}

} // namespace coracle::sys
