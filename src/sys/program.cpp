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
#include <unistd.h>

namespace coracle::sys {

namespace {

constexpr std::size_t max_output_bytes = std::size_t{64} << 10;

using Clock = std::chrono::steady_clock;

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

/// Runs in: the child that becomes the program.
[[noreturn]] void become_program(int input, int output, std::vector<std::string>& argv_texts,
                                 std::vector<std::string>& environment_texts) noexcept {
    reset_signals();
    if (::dup3(input, 0, 0) == 0 && ::dup3(output, 1, 0) == 1 && ::dup3(output, 2, 0) == 2) {
        std::vector<char*> argv = pointers_to(argv_texts);
        std::vector<char*> environment = pointers_to(environment_texts);
        ::execve(argv.front(), argv.data(), environment.data());
    }
    std::string message = describe_errno(errno);
    (void)!::write(output, message.data(), message.size());
    ::_exit(127);
}

/// What comes out of `fd` until EOF; false at the deadline.
bool read_until(int fd, Clock::time_point deadline, std::string& output) {
    for (;;) {
        auto rest = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
        if (rest.count() <= 0 || wait_readable(fd, -1, rest) == Ready::neither) {
            return false;
        }
        std::array<char, 4096> buffer{};
        ssize_t count = ::read(fd, buffer.data(), buffer.size());
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0) {
            return true;
        }
        std::size_t room = max_output_bytes - output.size();
        output.append(buffer.data(), std::min(static_cast<std::size_t>(count), room));
    }
}

bool ends_within(pid_t pid, int reader, std::chrono::milliseconds limit, std::string& output) {
    Fd pidfd;
    return read_until(reader, Clock::now() + limit, output) &&
           (try_open_pidfd(pid, pidfd) != 0 || wait_for_exit(pidfd.get(), limit));
}

} // namespace

ProgramResult run_program(const std::string& path, const std::vector<std::string>& arguments,
                          std::chrono::milliseconds limit) {
    std::vector<std::string> argv{path};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    std::vector<std::string> environment{"PATH=" + program_search_path(), "LC_ALL=C"};
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        int saved = errno;
        throw_system(saved, "make a pipe for " + path);
    }
    Fd reader{ends[0]};
    Fd writer{ends[1]};
    Fd input = open_at(AT_FDCWD, "/dev/null", O_RDONLY);
    pid_t pid = clone_process();
    if (pid == 0) {
        become_program(input.get(), writer.get(), argv, environment);
    }
    writer.reset();
    ProgramResult result;
    const auto end_it = [&] { // a child of ours, not reaped: the pid is still its own
        (void)::kill(pid, SIGKILL);
        result.status = wait_for_child(pid);
    };
    try {
        result.timed_out = !ends_within(pid, reader.get(), limit, result.output);
    } catch (const Error&) { // catch: nothing is left behind, rethrows
        end_it();
        throw;
    }
    if (result.timed_out) {
        end_it();
    } else {
        result.status = wait_for_child(pid);
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
