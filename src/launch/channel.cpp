#include "channel_private.h"

#include "coracle/base/exception.h"
#include "coracle/sys/socket.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <unistd.h>

namespace coracle::launch {

int ChannelEnd::try_send(const Message& message, std::span<const int> fds) {
    std::vector<std::uint8_t> body = encode(message);
    std::span<const std::uint8_t> rest = body;
    std::vector<std::uint8_t> packet;
    do {
        std::span<const std::uint8_t> part = rest.first(std::min(rest.size(), max_fragment_bytes));
        rest = rest.subspan(part.size());
        packet.assign(1, static_cast<std::uint8_t>(rest.empty() ? Fragment::last : Fragment::more));
        packet.insert(packet.end(), part.begin(), part.end());
        int errnum = sys::try_send_packet(socket_.get(), packet, fds);
        if (errnum != 0) {
            return errnum;
        }
        fds = {};
    } while (!rest.empty());
    return 0;
}

void ChannelEnd::send(const Message& message, std::span<const int> fds) {
    int errnum = try_send(message, fds);
    if (errnum != 0) {
        throw_system(errnum, std::string("send ") + name_of(message));
    }
}

std::optional<Received> ChannelEnd::receive() {
    return receive(Length::any);
}

std::optional<Received> ChannelEnd::receive_short() {
    return receive(Length::one_packet);
}

std::optional<Received> ChannelEnd::receive(Length length) {
    std::vector<std::uint8_t> body;
    std::vector<sys::Fd> fds;
    for (;;) {
        sys::Packet packet = sys::receive_packet(socket_.get(), max_fragment_bytes + 1);
        if (packet.data.empty()) {
            return std::nullopt;
        }
        for (sys::Fd& fd : packet.fds) {
            fds.push_back(std::move(fd));
        }
        body.insert(body.end(), packet.data.begin() + 1, packet.data.end());
        if (body.size() > max_message_bytes) {
            throw_error(ErrorKind::internal, "a message of the other process is too long");
        }
        if (packet.data.front() == static_cast<std::uint8_t>(Fragment::last)) {
            return Received{decode(body), std::move(fds)};
        }
        if (length == Length::one_packet) {
            throw_error(ErrorKind::internal, "a message of the other process is too long");
        }
    }
}

std::string ChannelEnd::receive_diagnosis() noexcept {
    constexpr std::chrono::seconds patience{2};
    try {
        if (sys::wait_readable(socket_.get(), -1, patience) == sys::Ready::neither) {
            return {};
        }
        std::optional<Received> received = receive();
        Diagnosis* diagnosis = received ? std::get_if<Diagnosis>(&received->message) : nullptr;
        return diagnosis != nullptr ? std::move(diagnosis->text) : std::string();
    } catch (const std::exception&) { // catch: only decorates another error
        return {};
    }
}

void ParentEnd::post(const Message& message, std::span<const int> fds) {
    int errnum = try_send(message, fds);
    if (errnum != 0 && errnum != EPIPE && errnum != ECONNRESET) {
        throw_system(errnum, std::string("send ") + name_of(message) + " to the container's init");
    }
}

void ParentEnd::send_plan(const plan::InitPlan& plan, int gate, int notify) {
    std::array<int, 2> fds{gate, notify};
    std::size_t count = gate < 0 ? 0 : notify < 0 ? 1 : 2;
    post(InitPlanMessage{plan}, std::span<const int>(fds).first(count));
}

void ParentEnd::send_mount_sources(std::span<const sys::Fd> trees) {
    do {
        std::vector<int> fds;
        for (const sys::Fd& tree : trees.first(std::min(trees.size(), sys::max_packet_fds))) {
            fds.push_back(tree.get());
        }
        trees = trees.subspan(fds.size());
        post(MountSources{}, fds);
    } while (!trees.empty());
}

void ChildEnd::send_console(int manager) {
    std::array<int, 1> fds{manager};
    send(Console{}, fds);
}

void ChildEnd::send_listener(int listener) {
    std::array<int, 1> fds{listener};
    send(Listener{}, fds);
}

void ChildEnd::send_failed(Stage stage, const std::exception& exception) noexcept {
    constexpr std::size_t max_text = 3 * 1024;
    try {
        const auto* known = dynamic_cast<const Error*>(&exception);
        Error error = known ? *known : Error(ErrorKind::internal, describe_exception(exception));
        (void)try_send(
            Failed{stage, error.kind(), error.errnum(), error.text().substr(0, max_text)});
    } catch (...) { // catch: out of memory while reporting; EOF says the rest
    }
}

void ChildEnd::leave() noexcept {
    ::_exit(1);
}

} // namespace coracle::launch
