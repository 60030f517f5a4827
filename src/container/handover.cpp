#include "handover_private.h"

#include "coracle/base/error.h"
#include "coracle/sys/process.h"
#include "coracle/sys/socket.h"

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace coracle::container {

namespace {

void send_fd(int socket, int fd, std::string_view text, const std::string& option) {
    std::array<int, 1> fds{fd};
    std::vector<std::uint8_t> data(text.begin(), text.end());
    int errnum = sys::try_send_packet(socket, data, fds);
    if (errnum != 0) {
        throw_system(errnum, option + ": send the fd");
    }
}

} // namespace

void require_console(bool terminal, const std::string& socket, ConsoleHolder holder) {
    if (terminal && holder == ConsoleHolder::socket && socket.empty()) {
        throw_error(ErrorKind::usage,
                    "/process/terminal is true: give --console-socket, or set it to "
                    "false (cannot allocate tty if runc will detach without "
                    "setting console socket)");
    }
    if (!socket.empty() && (!terminal || holder == ConsoleHolder::foreground)) {
        throw_error(ErrorKind::usage,
                    "--console-socket is for a detached container with a terminal: leave it out "
                    "(cannot use console socket if runc will not detach or allocate tty)");
    }
}

sys::Fd connect_if_named(const std::string& path, const char* option) {
    return path.empty() ? sys::Fd()
                        : in_context([&] { return std::string(option); },
                                     [&] { return sys::connect_stream(path); });
}

void send_console(const sys::Fd& socket, const sys::Fd& console) {
    send_fd(socket.get(), console.get(), "/dev/ptmx", "--console-socket");
}

void send_pidfd(const sys::Fd& socket, int pidfd, const std::string& option) {
    if (sys::exit_fd_of(pidfd) < 0) {
        throw_error(ErrorKind::unsupported,
                    option + ": pidfd_open(2) is refused by the kernel or by the seccomp profile "
                             "of an outer container");
    }
    send_fd(socket.get(), pidfd, "pidfd", option);
}

} // namespace coracle::container
