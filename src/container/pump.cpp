#include "pump_private.h"

#include "coracle/base/error.h"
#include "coracle/sys/file.h"
#include "coracle/sys/terminal.h"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace coracle::container {

namespace {

constexpr std::size_t buffer_bytes = 16 * 1024;
constexpr char end_of_transmission = '\x04'; // the line discipline's VEOF: termios(3)

short events_if(bool wanted, short events) {
    return wanted ? events : static_cast<short>(0);
}

/// Appends what is there: 0, or the errno; EIO at the end of the file, as of a terminal whose peer
/// nobody has open any more.
int try_read_some(int fd, std::string& buffer) {
    std::array<char, buffer_bytes> chunk{};
    ssize_t got = ::read(fd, chunk.data(), chunk.size());
    int saved = errno;
    if (got > 0) {
        buffer.append(chunk.data(), static_cast<std::size_t>(got));
        return 0;
    }
    if (got == 0) {
        return EIO;
    }
    return saved == EAGAIN || saved == EINTR ? 0 : saved;
}

/// Takes what could be written off the buffer; false if nobody reads any more.
bool write_some(int fd, std::string& buffer) {
    ssize_t done = ::write(fd, buffer.data(), buffer.size());
    if (done >= 0) {
        buffer.erase(0, static_cast<std::size_t>(done));
        return true;
    }
    return errno == EAGAIN || errno == EINTR;
}

} // namespace

TerminalPump::TerminalPump(int input, int output, int console)
    : input_(input), output_(output), console_(console), input_is_terminal_(::isatty(input) == 1) {
    int flags = ::fcntl(console, F_GETFL);
    (void)::fcntl(console, F_SETFL, flags | O_NONBLOCK);
    struct stat status {};
    if (::fstat(output, &status) != 0 || S_ISREG(status.st_mode)) {
        return; // a file never blocks
    }
    std::string path = "/proc/self/fd/" + std::to_string(output);
    if (sys::try_open_at(AT_FDCWD, path, O_WRONLY | O_NONBLOCK | O_NOCTTY, 0, own_output_) == 0) {
        output_ = own_output_.get();
    }
}

void TerminalPump::fill(struct pollfd& input, struct pollfd& output, struct pollfd& console) const {
    bool want_input = input_open_ && to_console_.empty();
    input = {want_input ? input_ : -1, events_if(input_mode_ == Input::taken, POLLIN), 0};
    output = {to_output_.empty() ? -1 : output_, POLLOUT, 0};
    short wanted = events_if(to_output_.empty(), POLLIN);
    wanted = static_cast<short>(wanted | events_if(!to_console_.empty(), POLLOUT));
    console = {console_open_ && wanted != 0 ? console_ : -1, wanted, 0};
}

void TerminalPump::move(const struct pollfd& input, const struct pollfd& output,
                        const struct pollfd& console) {
    if ((console.revents & POLLOUT) != 0) {
        write_console();
    }
    if ((console.revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
        read_console();
    }
    if (output.revents != 0) {
        write_output();
    }
    if (input.revents != 0) {
        read_input();
    }
}

void TerminalPump::read_input() {
    if (try_read_some(input_, to_console_) == 0) {
        return;
    }
    if (input_is_terminal_ && !sys::is_in_foreground(input_)) {
        return; // not its end: EIO is for a background whose SIGTTIN is blocked, and may pass
    }
    input_open_ = false;
    repeats_end_ = !input_is_terminal_; // a payload that reads to the end shall see one
    repeat_end();
}

int TerminalPump::patience() const {
    constexpr int pause = 200;
    // Nothing tells a running process that it has come to the foreground.
    return repeats_end_ || input_mode_ == Input::left ? pause : -1;
}

void TerminalPump::repeat_end() {
    if (repeats_end_ && to_console_.empty()) {
        to_console_.push_back(end_of_transmission);
    }
}

void TerminalPump::read_console() {
    int errnum = to_output_.empty() ? try_read_some(console_, to_output_) : 0;
    if (errnum != 0 && errnum != EIO) {
        throw_system(errnum, "read the container's terminal");
    }
    console_open_ = errnum == 0;
}

void TerminalPump::write_console() {
    if (!write_some(console_, to_console_)) {
        to_console_.clear();
    }
}

void TerminalPump::write_output() {
    if (!write_some(output_, to_output_)) {
        to_output_.clear();
    }
}

void TerminalPump::drain() {
    for (;;) {
        while (!to_output_.empty()) {
            struct pollfd entry {
                output_, POLLOUT, 0
            };
            (void)::poll(&entry, 1, -1);
            write_output();
        }
        if (console_open_) {
            read_console();
        }
        if (to_output_.empty()) {
            return;
        }
    }
}

} // namespace coracle::container
