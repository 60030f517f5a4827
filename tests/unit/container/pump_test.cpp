#include "unit/sys/sys_support.h"

#include "container/pump_private.h"
#include "coracle/sys/file.h"
#include "coracle/sys/process.h"
#include "coracle/sys/terminal.h"

#include <chrono>
#include <csignal>
#include <memory>

using namespace coracle;
using namespace coracle::test;
using container::TerminalPump;
using sys::Fd;

namespace {

constexpr std::size_t stream_bytes = std::size_t{1} << 20;

/// A stream in which a lost or doubled block shows.
std::string make_stream() {
    std::string text;
    for (std::size_t i = 0; text.size() < stream_bytes; ++i) {
        text += std::to_string(i) + "\n";
    }
    text.resize(stream_bytes);
    return text;
}

std::optional<sys::Pty> find_pty() {
    try {
        return sys::open_pty(sys::open_at(AT_FDCWD, "/dev/pts", O_RDONLY | O_DIRECTORY).get());
    } catch (const Error& error) {
        WARN("skipped: no pseudo-terminal here: " << error.text());
        return std::nullopt;
    }
}

void make_raw(int terminal) {
    struct termios settings {};
    REQUIRE(::tcgetattr(terminal, &settings) == 0);
    ::cfmakeraw(&settings);
    REQUIRE(::tcsetattr(terminal, TCSANOW, &settings) == 0);
}

/// One turn of the loop that a foreground run does; false after `limit`.
bool turn(TerminalPump& pump, std::chrono::milliseconds limit) {
    std::array<struct pollfd, 3> entries{};
    pump.fill(entries[0], entries[1], entries[2]);
    const int ready = ::poll(entries.data(), entries.size(), static_cast<int>(limit.count()));
    pump.move(entries[0], entries[1], entries[2]);
    return ready > 0;
}

/// Turns until `child` has ended or half a minute is over.
void turn_until_end(TerminalPump& pump, pid_t child) {
    Fd pidfd;
    REQUIRE(sys::try_open_pidfd(child, pidfd) == 0);
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!sys::wait_for_exit(pidfd.get(), std::chrono::milliseconds(0))) {
        REQUIRE(std::chrono::steady_clock::now() < end);
        (void)turn(pump, std::chrono::milliseconds(10));
    }
}

/// Reads to the end, with pauses if asked, and exits 42 if it was the stream.
[[noreturn]] void compare_and_exit(int fd, useconds_t pause) {
    const std::string wanted = make_stream();
    std::string got;
    std::array<char, 8192> buffer{};
    while (got.size() < wanted.size()) {
        const ssize_t count = ::read(fd, buffer.data(), buffer.size());
        if (count <= 0) {
            break;
        }
        got.append(buffer.data(), static_cast<std::size_t>(count));
        (void)::usleep(pause);
    }
    ::_exit(got == wanted ? 42 : 1);
}

void check_output_arrives(useconds_t pause) {
    std::optional<sys::Pty> pty = find_pty();
    if (!pty) {
        return;
    }
    make_raw(pty->peer.get());
    PipeEnds out = make_pipe();
    Forked payload([&] {
        pty->manager.reset();
        sys::write_all(pty->peer.get(), make_stream(), "terminal");
    });
    Forked reader([&] {
        out.writer.reset();
        pty.reset();
        compare_and_exit(out.reader.get(), pause);
    });
    pty->peer.reset();
    out.reader.reset();
    TerminalPump pump(-1, out.writer.get(), pty->manager.get());
    turn_until_end(pump, payload.pid());
    pump.drain();
    out.writer.reset();
    CHECK(payload.wait() == 0);
    CHECK(reader.wait() == 42 << 8);
}

} // namespace

TEST_CASE("pump: a megabyte of output, nothing lost", "[container]") {
    check_output_arrives(0);
}

TEST_CASE("pump: a slow reader gets all of it too", "[container]") {
    check_output_arrives(2000);
}

TEST_CASE("pump: a megabyte of input, nothing lost", "[container]") {
    std::optional<sys::Pty> pty = find_pty();
    if (!pty) {
        return;
    }
    make_raw(pty->peer.get());
    PipeEnds in = make_pipe();
    Forked payload([&] {
        pty->manager.reset();
        compare_and_exit(pty->peer.get(), 0);
    });
    Forked typist([&] {
        in.reader.reset();
        sys::write_all(in.writer.get(), make_stream(), "pipe");
    });
    pty->peer.reset();
    in.writer.reset();
    const Fd null = sys::open_at(AT_FDCWD, "/dev/null", O_WRONLY);
    TerminalPump pump(in.reader.get(), null.get(), pty->manager.get());
    turn_until_end(pump, payload.pid());
    CHECK(payload.wait() == 42 << 8);
    CHECK(typist.wait() == 0);
}

TEST_CASE("pump: the end of the input is one for the program, again if it is flushed",
          "[container]") {
    std::optional<sys::Pty> pty = find_pty();
    if (!pty) {
        return;
    }
    PipeEnds in = make_pipe();
    PipeEnds out = make_pipe();
    TerminalPump pump(in.reader.get(), out.writer.get(), pty->manager.get());
    CHECK(pump.patience() == -1);
    sys::write_all(in.writer.get(), "line\n", "pipe");
    in.writer.reset();
    for (int i = 0; i < 4; ++i) {
        (void)turn(pump, std::chrono::milliseconds(100));
    }
    char buffer[16] = {};
    CHECK(::read(pty->peer.get(), buffer, sizeof buffer) == 5);
    CHECK(::read(pty->peer.get(), buffer, sizeof buffer) == 0);
    CHECK(pump.patience() > 0);
    pump.repeat_end();
    (void)turn(pump, std::chrono::milliseconds(100));
    CHECK(::read(pty->peer.get(), buffer, sizeof buffer) == 0);
}

TEST_CASE("pump: reads no more than the other side takes", "[container]") {
    const std::optional<sys::Pty> pty = find_pty();
    if (!pty) {
        return;
    }
    make_raw(pty->peer.get());
    PipeEnds in = make_pipe();
    PipeEnds out = make_pipe();
    TerminalPump pump(in.reader.get(), out.writer.get(), pty->manager.get());
    struct pollfd input {};
    struct pollfd output {};
    struct pollfd console {};
    pump.fill(input, output, console);
    CHECK(input.fd == in.reader.get());
    CHECK(output.fd == -1);
    CHECK(console.events == POLLIN);
    sys::write_all(pty->peer.get(), "out", "terminal");
    console.revents = POLLIN;
    sys::write_all(in.writer.get(), "in", "pipe");
    input.revents = POLLIN;
    pump.move(input, output, console);
    pump.fill(input, output, console);
    CHECK(input.fd == -1);            // until the terminal has taken it
    CHECK(output.fd >= 0);            // the pipe, opened again
    CHECK(console.events == POLLOUT); // and no more of its output
    output.revents = POLLOUT;
    pump.move(input, output, console);
    char buffer[16] = {};
    CHECK(::read(out.reader.get(), buffer, sizeof buffer) == 3);
    CHECK(std::string(buffer) == "out");
}

TEST_CASE("pump: output that nobody reads any more is dropped", "[container]") {
    std::optional<sys::Pty> pty = find_pty();
    if (!pty) {
        return;
    }
    (void)::signal(SIGPIPE, SIG_IGN); // a foreground run has it blocked
    make_raw(pty->peer.get());
    PipeEnds out = make_pipe();
    out.reader.reset();
    Forked payload([&] {
        pty->manager.reset();
        sys::write_all(pty->peer.get(), make_stream(), "terminal");
    });
    pty->peer.reset();
    TerminalPump pump(-1, out.writer.get(), pty->manager.get());
    turn_until_end(pump, payload.pid());
    pump.drain();
    CHECK(payload.wait() == 0);
}

TEST_CASE("pump: a terminal that nobody reads does not block it", "[container]") {
    std::optional<sys::Pty> pty = find_pty();
    const std::optional<sys::Pty> outer = find_pty();
    if (!pty || !outer) {
        return;
    }
    make_raw(pty->peer.get());
    make_raw(outer->peer.get());
    Forked pumping([&] {
        Forked payload([&] {
            pty->manager.reset();
            sys::write_all(pty->peer.get(), make_stream(), "terminal");
        });
        (void)::alarm(2); // the end if it hangs
        TerminalPump pump(-1, outer->peer.get(), pty->manager.get());
        for (int i = 0; i < 50; ++i) {
            (void)turn(pump, std::chrono::milliseconds(10));
        }
        (void)::kill(payload.pid(), SIGKILL);
        ::_exit(42);
    });
    CHECK(pumping.wait() == 42 << 8);
}

TEST_CASE("pump: a nearly full pipe does not block it", "[container]") {
    std::optional<sys::Pty> pty = find_pty();
    if (!pty) {
        return;
    }
    make_raw(pty->peer.get());
    Forked pumping([&] {
        PipeEnds out = make_pipe();
        const int capacity = ::fcntl(out.writer.get(), F_GETPIPE_SZ);
        sys::write_all(out.writer.get(),
                       std::string(static_cast<std::size_t>(capacity - 4096), 'x'), "pipe");
        Forked payload([&] {
            pty->manager.reset();
            sys::write_all(pty->peer.get(), make_stream(), "terminal");
        });
        (void)::alarm(5); // the end if it hangs
        TerminalPump pump(-1, out.writer.get(), pty->manager.get());
        for (int i = 0; i < 30; ++i) {
            (void)turn(pump, std::chrono::milliseconds(10));
        }
        // Killed before it goes out of scope: nobody reads the rest.
        (void)::kill(payload.pid(), SIGKILL);
        ::_exit(42);
    });
    CHECK(pumping.wait() == 42 << 8);
}
