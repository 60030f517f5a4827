#include "support/forked.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <stdexcept>

namespace coracle::test {
namespace {

constexpr const char* no_user_namespace = "no user namespace";

void write_text(int fd, const std::string& text) {
    if (write(fd, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
        throw std::runtime_error(std::string("write: ") + std::strerror(errno));
    }
}

void write_file(const char* path, const std::string& text) {
    const int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        throw std::runtime_error(std::string(path) + ": " + std::strerror(errno));
    }
    write_text(fd, text);
    close(fd);
}

/// Not _exit(2): sanitizers hook it to look for leaks, which a seccomp filter may not permit.
[[noreturn]] void leave(int status) noexcept {
    for (;;) {
        syscall(SYS_exit_group, status);
    }
}

// Before a call that does not return ASan asks for sigaltstack(2), which a filter may not permit.
[[noreturn, gnu::no_sanitize_address]] void
run_child(int result_fd, const std::function<std::string()>& work) noexcept {
    if (dup2(result_fd, STDOUT_FILENO) < 0) {
        leave(1);
    }
    try {
        write_text(STDOUT_FILENO, work());
    } catch (const std::exception& error) { // catch: the child's end
        const std::string text = std::string("error: ") + error.what();
        leave(write(STDOUT_FILENO, text.data(), text.size()) < 0 ? 1 : 0);
    }
    leave(0);
}

} // namespace

std::string run_forked(const std::function<std::string()>& work) {
    int ends[2] = {-1, -1};
    if (pipe2(ends, O_CLOEXEC) != 0) {
        throw std::runtime_error("pipe2");
    }
    const pid_t pid = fork();
    if (pid < 0) {
        throw std::runtime_error("fork");
    }
    if (pid == 0) {
        run_child(ends[1], work);
    }
    close(ends[1]);
    std::string text;
    char buffer[4096];
    ssize_t count = 0;
    while ((count = read(ends[0], buffer, sizeof(buffer))) > 0) {
        text.append(buffer, static_cast<std::size_t>(count));
    }
    close(ends[0]);
    int status = 0;
    if (waitpid(pid, &status, 0) != pid || status != 0) {
        text += "\nchild ended with wait status " + std::to_string(status);
    }
    return text;
}

std::optional<std::string> run_in_user_namespace(unsigned id,
                                                 const std::function<std::string()>& work) {
    const std::string inside = std::to_string(id) + " ";
    const std::string uid_map = inside + std::to_string(geteuid()) + " 1";
    const std::string gid_map = inside + std::to_string(getegid()) + " 1";
    std::string result = run_forked([&]() -> std::string {
        if (unshare(CLONE_NEWUSER) != 0) {
            return no_user_namespace;
        }
        write_file("/proc/self/setgroups", "deny");
        write_file("/proc/self/uid_map", uid_map);
        write_file("/proc/self/gid_map", gid_map);
        return work();
    });
    if (result != no_user_namespace) {
        return result;
    }
    if (std::getenv("CORACLE_MUST_RUN") != nullptr) {
        throw std::runtime_error("user namespaces are not available and CORACLE_MUST_RUN is set");
    }
    return std::nullopt;
}

} // namespace coracle::test
