#include "unit/sys/sys_support.h"

#include "coracle/sys/file.h"
#include "coracle/sys/terminal.h"
#include "support/forked.h"

#include <sys/ioctl.h>

using namespace coracle;
using namespace coracle::test;
using sys::Fd;

namespace {

/// A terminal of the host, or nothing where /dev/pts is not a devpts.
std::optional<sys::Pty> find_pty() {
    try {
        return sys::open_pty(sys::open_at(AT_FDCWD, "/dev/pts", O_RDONLY | O_DIRECTORY).get());
    } catch (const Error& error) {
        WARN("skipped: no pseudo-terminal here: " << error.text());
        return std::nullopt;
    }
}

struct winsize size_of(int terminal) {
    struct winsize size {};
    (void)::ioctl(terminal, TIOCGWINSZ, &size);
    return size;
}

} // namespace

TEST_CASE("pty: two ends that carry bytes, close-on-exec", "[sys]") {
    const std::optional<sys::Pty> pty = find_pty();
    if (!pty) {
        return;
    }
    CHECK(is_close_on_exec(pty->manager.get()));
    CHECK(is_close_on_exec(pty->peer.get()));
    CHECK(::isatty(pty->peer.get()) == 1);
    sys::write_all(pty->manager.get(), "line\n", "manager");
    char buffer[16] = {};
    CHECK(::read(pty->peer.get(), buffer, sizeof buffer) == 5);
    CHECK(std::string(buffer) == "line\n");
}

TEST_CASE("pty: only from a devpts", "[sys]") {
    const TempDir temp;
    REQUIRE(::symlink("/dev/ptmx", temp.path("ptmx").c_str()) == 0);
    const Error error = error_of([&] { (void)sys::open_pty(temp.fd()); });
    CHECK(error.kind() == ErrorKind::invalid_config);
    holds(error.text(), "needs a mount of type devpts");
}

TEST_CASE("pty: window size is set and copied", "[sys]") {
    const std::optional<sys::Pty> one = find_pty();
    const std::optional<sys::Pty> other = find_pty();
    if (!one || !other) {
        return;
    }
    sys::set_window_size(one->manager.get(), 25, 81);
    CHECK(size_of(one->peer.get()).ws_row == 25);
    CHECK(size_of(one->peer.get()).ws_col == 81);
    sys::copy_window_size(one->peer.get(), other->manager.get());
    CHECK(size_of(other->peer.get()).ws_row == 25);
    const Fd null = sys::open_at(AT_FDCWD, "/dev/null", O_RDWR);
    sys::copy_window_size(null.get(), other->manager.get());
    CHECK(size_of(other->peer.get()).ws_col == 81);
    CHECK(error_of([&] { sys::set_window_size(null.get(), 1, 1); }).errnum() == ENOTTY);
}

TEST_CASE("raw mode: until the end of the scope", "[sys]") {
    const std::optional<sys::Pty> pty = find_pty();
    if (!pty) {
        return;
    }
    struct termios before {};
    struct termios during {};
    struct termios after {};
    REQUIRE(::tcgetattr(pty->peer.get(), &before) == 0);
    {
        sys::RawMode raw(pty->peer.get());
        raw.enter();
        REQUIRE(::tcgetattr(pty->peer.get(), &during) == 0);
        CHECK((during.c_lflag & (ICANON | ECHO | ISIG)) == 0);
        raw.enter(); // what was before stays known
    }
    REQUIRE(::tcgetattr(pty->peer.get(), &after) == 0);
    CHECK(after.c_lflag == before.c_lflag);
    CHECK(after.c_iflag == before.c_iflag);
    const PipeEnds pipe = make_pipe();
    sys::RawMode nothing(pipe.reader.get());
    nothing.enter(); // and does nothing
}

TEST_CASE("controlling terminal: of the new session, and its three streams", "[sys]") {
    const std::optional<sys::Pty> pty = find_pty();
    if (!pty) {
        return;
    }
    CHECK(run_forked([&]() -> std::string {
              const Fd answer = sys::duplicate(1);
              sys::start_session();
              sys::make_controlling_terminal(pty->peer.get());
              std::string text;
              for (int stream = 0; stream <= 2; ++stream) {
                  text += ::isatty(stream) == 1 ? "tty " : "no ";
                  text += is_close_on_exec(stream) ? "cloexec " : "kept ";
              }
              text += Fd(::open("/dev/tty", O_RDWR | O_CLOEXEC)) ? "controlling" : "none";
              (void)::dup3(answer.get(), 1, 0);
              return text;
          }) == "tty kept tty kept tty kept controlling");
}
