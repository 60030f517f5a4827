#include "unit/sys/sys_support.h"

#include "coracle/sys/file.h"
#include "coracle/sys/socket.h"

#include <cstring>
#include <numeric>
#include <sys/socket.h>
#include <sys/un.h>
#include <vector>

using namespace coracle;
using namespace coracle::test;
using sys::Fd;

namespace {

std::vector<std::uint8_t> bytes(std::size_t size) {
    std::vector<std::uint8_t> data(size);
    std::iota(data.begin(), data.end(), std::uint8_t{0});
    return data;
}

/// A stream socket that listens at `path`, relative to the current directory.
Fd listen_stream(const std::string& path) {
    Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    struct sockaddr_un address {};
    address.sun_family = AF_UNIX;
    REQUIRE(path.size() < sizeof address.sun_path);
    std::memcpy(static_cast<char*>(address.sun_path), path.c_str(), path.size());
    REQUIRE(::bind(socket.get(), reinterpret_cast<struct sockaddr*>(&address), sizeof address) ==
            0);
    REQUIRE(::listen(socket.get(), 4) == 0);
    return socket;
}

} // namespace

TEST_CASE("packets: arrive whole, with their fds, and end with the peer", "[sys]") {
    auto [left, right] = sys::make_packet_pair();
    CHECK(is_close_on_exec(left.get()));
    CHECK(is_close_on_exec(right.get()));
    PipeEnds pipe = make_pipe();
    const std::vector<int> fds{pipe.writer.get(), 0};
    REQUIRE(sys::try_send_packet(left.get(), bytes(3), fds) == 0);
    REQUIRE(sys::try_send_packet(left.get(), bytes(100), {}) == 0);
    left.reset();
    sys::Packet packet = sys::receive_packet(right.get(), 100);
    CHECK(packet.data == bytes(3));
    REQUIRE(packet.fds.size() == 2);
    CHECK(is_close_on_exec(packet.fds[0].get()));
    sys::write_all(packet.fds[0].get(), "x", "pipe");
    char byte = 0;
    CHECK(::read(pipe.reader.get(), &byte, 1) == 1);
    packet = sys::receive_packet(right.get(), 100);
    CHECK(packet.data == bytes(100));
    CHECK(packet.fds.empty());
    CHECK(sys::receive_packet(right.get(), 100).data.empty());
    CHECK(sys::try_send_packet(right.get(), bytes(1), {}) == EPIPE); // and no SIGPIPE
}

TEST_CASE("packets: one that is too long is an error, and its fds are closed", "[sys]") {
    auto [left, right] = sys::make_packet_pair();
    PipeEnds pipe = make_pipe();
    const std::vector<int> fds{pipe.writer.get()};
    REQUIRE(sys::try_send_packet(left.get(), bytes(11), fds) == 0);
    pipe.writer.reset();
    const Error error = error_of([&right = right] { (void)sys::receive_packet(right.get(), 10); });
    CHECK(error.kind() == ErrorKind::internal);
    char byte = 0;
    CHECK(::read(pipe.reader.get(), &byte, 1) == 0); // the last writer is gone
}

TEST_CASE("packets: as many fds as fit, no more", "[sys]") {
    auto [left, right] = sys::make_packet_pair();
    const std::vector<int> most(64, 0);
    REQUIRE(sys::try_send_packet(left.get(), bytes(1), most) == 0);
    CHECK(sys::receive_packet(right.get(), 1).fds.size() == 64);
    CHECK(sys::try_send_packet(left.get(), bytes(1),
                               std::vector<int>(sys::max_packet_fds + 1, 0)) == EINVAL);
    CHECK(sys::try_send_packet(left.get(), bytes(1), std::vector<int>{-1}) == EBADF);
}

TEST_CASE("packets: a peer that closes with one unread counts as closed", "[sys]") {
    auto [left, right] = sys::make_packet_pair();
    REQUIRE(sys::try_send_packet(left.get(), bytes(1), {}) == 0);
    right.reset();
    CHECK(sys::receive_packet(left.get(), 10).data.empty());
    CHECK_THROWS_AS(sys::receive_packet(-1, 10), Error);
}

TEST_CASE("listening: however long the directory's path is", "[sys]") {
    constexpr std::chrono::milliseconds patience{1000};
    const TempDir temp;
    std::string deep = std::string(200, 'd') + "/" + std::string(200, 'e');
    temp.directory(deep);
    const Fd directory = sys::open_at(temp.fd(), deep, O_RDONLY | O_DIRECTORY);
    Fd client;
    CHECK(sys::try_connect_at(directory.get(), "s", patience, client) == ENOENT);
    Fd listener = sys::listen_at(directory.get(), "s");
    CHECK(is_close_on_exec(listener.get()));
    REQUIRE(sys::try_connect_at(directory.get(), "s", patience, client) == 0);
    CHECK(is_close_on_exec(client.get()));
    CHECK((::fcntl(client.get(), F_GETFL) & O_NONBLOCK) == 0);
    const Fd server = sys::accept_connection(listener.get());
    CHECK(is_close_on_exec(server.get()));
    CHECK(sys::peer_uid_of(server.get()) == ::geteuid());
    REQUIRE(sys::try_send_packet(client.get(), bytes(5), {}) == 0);
    CHECK(sys::receive_packet(server.get(), 10).data == bytes(5));
    CHECK(error_of([&] { (void)sys::listen_at(directory.get(), "s"); }).errnum() == EADDRINUSE);
    listener.reset(); // the file outlives who listened
    CHECK(sys::try_connect_at(directory.get(), "s", patience, client) == ECONNREFUSED);
    CHECK(sys::try_reach_at(directory.get(), "s") == ECONNREFUSED);
    CHECK(sys::try_connect_at(directory.get(), std::string(108, 'x'), patience, client) ==
          ENAMETOOLONG);
    CHECK(error_of([&] {
              (void)sys::listen_at(directory.get(), std::string(108, 'x'));
          }).errnum() == ENAMETOOLONG);
}

TEST_CASE("listening: a full queue is EAGAIN, at once or after the time given", "[sys]") {
    const TempDir temp;
    const Fd listener = sys::listen_at(temp.fd(), "s");
    std::vector<Fd> clients(100);
    int errnum = 0;
    for (std::size_t i = 0; i < clients.size() && errnum == 0; ++i) {
        errnum = sys::try_connect_at(temp.fd(), "s", std::chrono::milliseconds(20), clients[i]);
    }
    CHECK(errnum == EAGAIN);
    CHECK(sys::try_reach_at(temp.fd(), "s") == EAGAIN);
    clients.clear();
    (void)sys::accept_connection(listener.get());
    CHECK(sys::try_reach_at(temp.fd(), "s") == 0);
}

TEST_CASE("connecting to a stream: however long the path is", "[sys]") {
    const TempDir temp;
    const std::string deep = std::string(120, 'd');
    temp.directory(deep);
    const Fd here = sys::open_at(AT_FDCWD, ".", O_RDONLY | O_DIRECTORY);
    REQUIRE(::chdir(temp.path(deep).c_str()) == 0);
    const Fd listener = listen_stream("sock");
    const Fd relative = sys::connect_stream("sock");
    CHECK(is_close_on_exec(relative.get()));
    REQUIRE(::fchdir(here.get()) == 0);
    CHECK(temp.path(deep + "/sock").size() > 108);
    CHECK(sys::connect_stream(temp.path(deep + "/sock")));
    const Error error = error_of([&] { (void)sys::connect_stream(temp.path("none")); });
    CHECK(error.errnum() == ENOENT);
    holds(error.text(), "connect to " + temp.path("none"));
    CHECK(error_of([&] { (void)sys::connect_stream(temp.path("none/s")); }).errnum() == ENOENT);
}

TEST_CASE("connecting to a stream: a long name that fits an address by itself", "[sys]") {
    const TempDir temp; // for a name of its own
    const std::string path = temp.path() + std::string(105 - temp.path().size(), 'n');
    const Fd listener = listen_stream(path);
    try {
        CHECK(sys::connect_stream(path));
    } catch (const Error& error) {
        FAIL_CHECK(error.text());
    }
    REQUIRE(::unlink(path.c_str()) == 0);
}

TEST_CASE("waiting: the first of two, a deadline, a hang-up", "[sys]") {
    using std::chrono::milliseconds;
    PipeEnds first = make_pipe();
    PipeEnds second = make_pipe();
    const int a = first.reader.get();
    const int b = second.reader.get();
    const auto start = std::chrono::steady_clock::now();
    CHECK(sys::wait_readable(a, b, milliseconds(20)) == sys::Ready::neither);
    CHECK(std::chrono::steady_clock::now() - start >= milliseconds(19));
    CHECK(sys::wait_readable(a, -1, milliseconds(0)) == sys::Ready::neither);
    sys::write_all(second.writer.get(), "x", "pipe");
    CHECK(sys::wait_readable(a, b, milliseconds(10000)) == sys::Ready::second);
    CHECK(sys::wait_readable(a, -1, milliseconds(0)) == sys::Ready::neither);
    first.writer.reset();
    CHECK(sys::wait_readable(a, b, milliseconds(10000)) == sys::Ready::first);
    CHECK(sys::wait_readable(a, -1, milliseconds(10000)) == sys::Ready::first);
}
