#include "notify_private.h"

#include "coracle/base/error.h"
#include "coracle/base/log.h"
#include "coracle/base/text.h"
#include "coracle/sys/process.h"
#include "coracle/sys/socket.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <unistd.h>

namespace coracle::container {

namespace {

using sys::Fd;

constexpr const char* variable = "NOTIFY_SOCKET";
constexpr std::size_t message_bytes = 4096; // of systemd: NOTIFY_BUFFER_MAX is PIPE_BUF
constexpr std::chrono::seconds patience{5};

/// How the service is; a name with '=' at its end takes any value.
constexpr std::array<std::string_view, 9> permitted{
    "READY=1",   "RELOADING=1", "STOPPING=1",           "STATUS=",        "ERRNO=",
    "BUSERROR=", "WATCHDOG=1",  "EXTEND_TIMEOUT_USEC=", "MONOTONIC_USEC="};

bool is_permitted(std::string_view line) {
    return std::any_of(permitted.begin(), permitted.end(), [&](std::string_view known) {
        return known.ends_with('=') ? line.starts_with(known) : line == known;
    });
}

bool has_line(std::string_view message, std::string_view wanted) {
    std::vector<std::string_view> lines = split(message, '\n');
    return std::find(lines.begin(), lines.end(), wanted) != lines.end();
}

std::string manager_address() {
    const char* value = std::getenv(variable);
    return value != nullptr ? value : "";
}

} // namespace

bool has_service_manager() {
    return !manager_address().empty();
}

std::string permitted_lines(std::string_view message) {
    std::string kept;
    if (message.find('\0') != std::string_view::npos) { // sd_notify(3): text
        return kept;
    }
    for (std::string_view line : split(message, '\n')) {
        if (is_permitted(line)) {
            kept += line;
            kept += '\n';
        }
    }
    return kept;
}

NotifyProxy::NotifyProxy() {
    std::string address = manager_address();
    if ((!address.starts_with('/') && !address.starts_with('@')) || address.size() < 2) {
        throw_error(ErrorKind::usage, std::string(variable) + "=" + printable(address) +
                                          ": must be an absolute path or @ and a name; unset it");
    }
    try {
        manager_ = sys::connect_datagram(address, patience);
    } catch (const Error& error) { // catch: as with sd_notify(3), nobody who listens is no error
        log::warning(std::string(variable) + ": " + error.text() +
                     "; no notification is passed on");
    }
}

void NotifyProxy::send(const std::string& text) {
    if (!manager_) {
        return;
    }
    std::vector<std::uint8_t> data(text.begin(), text.end());
    int errnum = sys::try_send_packet(manager_.get(), data, {});
    if (errnum != 0) {
        log::warning(std::string(variable) + ": pass a notification on: " + describe_errno(errnum));
    }
}

/// The other end of the pipe is closed once the manager has come to it in its queue.
void NotifyProxy::wait_until_processed() {
    if (!manager_) {
        return;
    }
    sys::Pipe processed = sys::make_pipe();
    constexpr std::string_view text = "BARRIER=1";
    std::vector<std::uint8_t> data(text.begin(), text.end());
    std::array<int, 1> fds{processed.writer.get()};
    if (sys::try_send_packet(manager_.get(), data, fds) != 0) {
        return; // it is gone
    }
    processed.writer.reset();
    if (sys::wait_readable(processed.reader.get(), -1, patience) == sys::Ready::neither) {
        log::warning(std::string(variable) + ": the service manager does not answer a barrier "
                                             "within 5 seconds");
    }
}

bool NotifyProxy::pass_on(pid_t main_pid) {
    constexpr int at_once = 64; // a payload that never stops must not keep signals from us
    bool ready = false;
    sys::Packet packet;
    for (int i = 0;
         i < at_once && sys::try_receive_datagram(payload_.get(), message_bytes, packet) == 0;
         ++i) {
        std::string message(packet.data.begin(), packet.data.end());
        if (message == "BARRIER=1" && packet.fds.size() == 1) {
            wait_until_processed(); // then the payload's end is closed, with the packet
            continue;
        }
        std::string text = permitted_lines(message);
        if (has_line(text, "READY=1") && main_pid != 0) {
            text += "MAINPID=" + std::to_string(main_pid) + "\n";
            ready = true;
        }
        if (!text.empty()) {
            send(text);
        }
    }
    return ready;
}

void NotifyProxy::await_ready(pid_t pid, int pidfd) {
    int exit_fd = sys::exit_fd_of(pidfd);
    std::chrono::milliseconds limit =
        exit_fd < 0 ? std::chrono::milliseconds(100) : std::chrono::hours(1);
    for (;;) {
        (void)sys::wait_readable(payload_.get(), exit_fd, limit);
        bool ended = sys::wait_for_exit(pidfd, std::chrono::milliseconds(0));
        if (pass_on(pid)) {
            wait_until_processed(); // or the manager may miss that this process was not the main
                                    // one
            return;
        }
        if (ended) {
            return;
        }
    }
}

} // namespace coracle::container
