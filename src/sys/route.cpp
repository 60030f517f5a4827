#include "coracle/sys/route.h"

#include "coracle/base/error.h"
#include "coracle/sys/namespace.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <functional>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <span>
#include <sys/socket.h>

namespace coracle::sys {

namespace {

using Bytes = std::vector<std::uint8_t>;

/// A request: its header, one structure, attributes.
class Request {
  public:
    template <class Body>
    Request(std::uint16_t type, std::uint16_t flags, const Body& body) {
        struct nlmsghdr header {};
        header.nlmsg_type = type;
        header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
        append(&header, sizeof header);
        append(&body, sizeof body);
    }
    void add(std::uint16_t type, const void* data, std::size_t size) {
        struct rtattr attribute {};
        attribute.rta_len = static_cast<std::uint16_t>(RTA_LENGTH(size));
        attribute.rta_type = type;
        append(&attribute, sizeof attribute);
        append(data, size);
    }
    void add_text(std::uint16_t type, const std::string& text) {
        add(type, text.c_str(), text.size() + 1);
    }
    void add_raw(std::span<const std::uint8_t> attributes) {
        append(attributes.data(), attributes.size());
    }
    [[nodiscard]] const Bytes& finish() {
        std::uint32_t size = static_cast<std::uint32_t>(bytes_.size());
        std::memcpy(bytes_.data(), &size, sizeof size); // nlmsg_len is the first member
        return bytes_;
    }

  private:
    void append(const void* data, std::size_t size) {
        std::size_t used = bytes_.size();
        bytes_.resize(used + NLMSG_ALIGN(size));
        std::memcpy(bytes_.data() + used, data, size);
    }
    Bytes bytes_;
};

template <class T>
T read_as(std::span<const std::uint8_t> bytes) {
    T value{};
    std::memcpy(&value, bytes.data(), std::min(sizeof value, bytes.size()));
    return value;
}

using Visit = std::function<void(std::uint16_t type, std::span<const std::uint8_t> body)>;

enum class Answer { more, end };

/// One message of an answer: calls `visit`, or sets `errnum` at the end of it all.
Answer take_message(const struct nlmsghdr& header, std::span<const std::uint8_t> body,
                    const Visit& visit, int& errnum) {
    if (header.nlmsg_type == NLMSG_DONE) {
        return Answer::end;
    }
    if (header.nlmsg_type == NLMSG_ERROR) {
        errnum = -read_as<struct nlmsgerr>(body).error;
        return Answer::end;
    }
    if (visit) {
        visit(header.nlmsg_type, body);
    }
    return Answer::more;
}

/// Sends a request that asks for NLM_F_ACK or a dump and takes the whole answer: 0 or the errno.
int try_transact(int route, Request& request, const Visit& visit = {}) {
    const Bytes& bytes = request.finish();
    if (::send(route, bytes.data(), bytes.size(), 0) < 0) {
        return errno;
    }
    Bytes buffer(std::size_t{64} * 1024);
    for (;;) {
        ssize_t got = ::recv(route, buffer.data(), buffer.size(), 0);
        if (got < 0) {
            return errno;
        }
        std::span<const std::uint8_t> rest(buffer.data(), static_cast<std::size_t>(got));
        while (rest.size() >= sizeof(struct nlmsghdr)) {
            const struct nlmsghdr header = read_as<struct nlmsghdr>(rest);
            if (header.nlmsg_len < NLMSG_HDRLEN || header.nlmsg_len > rest.size()) {
                return EBADMSG;
            }
            int errnum = 0;
            std::span<const std::uint8_t> body =
                rest.subspan(NLMSG_HDRLEN, header.nlmsg_len - NLMSG_HDRLEN);
            if (take_message(header, body, visit, errnum) == Answer::end) {
                return errnum;
            }
            rest = rest.subspan(std::min<std::size_t>(NLMSG_ALIGN(header.nlmsg_len), rest.size()));
        }
    }
}

/// The flags of an address: an attribute has those that do not fit into the structure.
std::uint32_t flags_of(std::span<const std::uint8_t> body) {
    std::uint32_t flags = read_as<struct ifaddrmsg>(body).ifa_flags;
    std::span<const std::uint8_t> rest = body.subspan(NLMSG_ALIGN(sizeof(struct ifaddrmsg)));
    while (rest.size() >= sizeof(struct rtattr)) {
        const struct rtattr attribute = read_as<struct rtattr>(rest);
        if (attribute.rta_len < sizeof attribute || attribute.rta_len > rest.size()) {
            break;
        }
        if (attribute.rta_type == IFA_FLAGS) {
            flags = read_as<std::uint32_t>(rest.subspan(RTA_LENGTH(0)));
        }
        rest = rest.subspan(std::min<std::size_t>(RTA_ALIGN(attribute.rta_len), rest.size()));
    }
    return flags;
}

std::vector<DeviceAddress> read_addresses(int route, int index) {
    std::vector<DeviceAddress> addresses;
    struct ifaddrmsg any {};
    Request request(RTM_GETADDR, NLM_F_DUMP, any);
    int errnum =
        try_transact(route, request, [&](std::uint16_t type, std::span<const std::uint8_t> body) {
            if (type != RTM_NEWADDR || body.size() < sizeof any) {
                return;
            }
            const struct ifaddrmsg address = read_as<struct ifaddrmsg>(body);
            if (address.ifa_index == static_cast<unsigned>(index) &&
                address.ifa_scope == RT_SCOPE_UNIVERSE && (flags_of(body) & IFA_F_PERMANENT) != 0) {
                addresses.emplace_back(body.begin(), body.end());
            }
        });
    if (errnum != 0) {
        throw_system(errnum, "ask for the addresses of a network device");
    }
    return addresses;
}

} // namespace

Fd open_route_socket() {
    Fd socket{::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)};
    int saved = errno;
    struct sockaddr_nl kernel {};
    kernel.nl_family = AF_NETLINK;
    if (socket && ::connect(socket.get(), reinterpret_cast<const struct sockaddr*>(&kernel),
                            sizeof kernel) == 0) {
        return socket;
    }
    throw_system(socket ? errno : saved, "open a socket of rtnetlink");
}

Fd open_route_socket_in(int namespace_fd, int own_namespace_fd) {
    join_namespace(namespace_fd, NamespaceKind::network);
    Fd socket;
    try {
        socket = open_route_socket();
    } catch (const std::exception&) { // catch: back first, then the error goes on
        join_namespace(own_namespace_fd, NamespaceKind::network);
        throw;
    }
    join_namespace(own_namespace_fd, NamespaceKind::network);
    return socket;
}

std::optional<NetworkDevice> find_network_device(int route, const std::string& name) {
    std::optional<NetworkDevice> device;
    struct ifinfomsg any {};
    Request request(RTM_GETLINK, NLM_F_ACK, any);
    request.add_text(IFLA_IFNAME, name);
    int errnum =
        try_transact(route, request, [&](std::uint16_t type, std::span<const std::uint8_t> body) {
            if (type == RTM_NEWLINK && body.size() >= sizeof any) {
                const struct ifinfomsg link = read_as<struct ifinfomsg>(body);
                device.emplace();
                device->index = link.ifi_index;
                device->up = (link.ifi_flags & unsigned{IFF_UP}) != 0;
            }
        });
    if (errnum == ENODEV) {
        return std::nullopt;
    }
    if (errnum != 0) {
        throw_system(errnum, "look for the network device " + name);
    }
    if (device) {
        device->addresses = read_addresses(route, device->index);
    }
    return device;
}

int try_move_network_device(int route, int index, int namespace_fd, const std::string& name) {
    struct ifinfomsg link {};
    link.ifi_index = index;
    Request request(RTM_NEWLINK, NLM_F_ACK, link);
    request.add(IFLA_NET_NS_FD, &namespace_fd, sizeof namespace_fd);
    request.add_text(IFLA_IFNAME, name);
    return try_transact(route, request);
}

int try_bring_device_up(int route, int index) {
    struct ifinfomsg link {};
    link.ifi_index = index;
    link.ifi_flags = IFF_UP;
    link.ifi_change = IFF_UP;
    Request request(RTM_NEWLINK, NLM_F_ACK, link);
    return try_transact(route, request);
}

int try_add_address(int route, int index, const DeviceAddress& address) {
    struct ifaddrmsg body = read_as<struct ifaddrmsg>(address);
    body.ifa_index = static_cast<unsigned>(index);
    Request request(RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, body);
    request.add_raw(std::span(address).subspan(NLMSG_ALIGN(sizeof body)));
    return try_transact(route, request);
}

} // namespace coracle::sys
