#include "bus_connection_private.h"
#include "coracle/base/exception.h"
#include "coracle/base/text.h"
#include "coracle/sys/fd.h"
#include "coracle/sys/process.h"
#include "coracle/sys/socket.h"

#include <optional>
#include <unistd.h>

namespace coracle::cgroup {

namespace {

/// The greeting is had before the first request: the parent has something else to do meanwhile.
void open_connection(std::optional<Connection>& connection, const std::string& socket_path,
                     BusAnswer& failure) {
    try {
        connection.emplace(socket_path);
        failure.refused = connection->greet();
    } catch (const Error& error) { // catch: the edge of the program
        failure.has_failed = true;
        failure.kind = error.kind();
        failure.errnum = error.errnum();
        failure.text = error.text();
    }
}

BusAnswer answer_to(Connection& connection, const BusRequest& request) {
    BusAnswer answer;
    try {
        answer = connection.handle(request);
    } catch (const Error& error) { // catch: the edge of the program
        answer.has_failed = true;
        answer.kind = error.kind();
        answer.errnum = error.errnum();
        answer.text = error.text();
    }
    answer.has_greeted = connection.has_greeted();
    return answer;
}

/// Until the parent closes its end.
void serve(const sys::Fd& channel, const std::string& socket_path) {
    std::optional<Connection> connection;
    BusAnswer failure;
    open_connection(connection, socket_path, failure);
    for (;;) {
        sys::Packet packet = sys::receive_packet(channel.get(), max_bus_packet);
        if (packet.data.empty()) {
            return;
        }
        BusRequest request = decode_request(packet.data);
        BusAnswer answer =
            failure.has_failed || failure.refused ? failure : answer_to(*connection, request);
        if (sys::try_send_packet(channel.get(), encode(answer), {}) != 0) {
            return;
        }
    }
}

} // namespace

} // namespace coracle::cgroup

/// coracle-bus FD SOCKET: asks systemd at SOCKET for what comes over FD, a SOCK_SEQPACKET socket.
/// Started by the parent, executed from a memfd. Runs in: coracle-bus.
int main(int argc, char** argv) {
    using namespace coracle;
    std::optional<std::uint64_t> number =
        argc == 3 ? parse_unsigned(argv[1], 1U << 30U) : std::nullopt;
    if (!number) {
        return 1;
    }
    sys::set_process_name("coracle-bus");
    sys::Fd channel(static_cast<int>(*number));
    try {
        sys::close_on_exec(channel.get());
        cgroup::BusAnswer hello;
        hello.is_hello = true;
        if (sys::try_send_packet(channel.get(), encode(hello), {}) == 0) {
            cgroup::serve(channel, argv[2]);
        }
    } catch (const std::exception&) { // catch: the parent sees the end
        return 1;
    }
    return 0;
}
