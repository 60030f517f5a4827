#include "coracle/sys/socket.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/sys/file.h"
#include "coracle/sys/process.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <memory>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace coracle::sys {

namespace {

constexpr int backlog = 16;
constexpr std::size_t max_fds = max_packet_fds;

/// "/proc/self/fd/N/name" as an address: sun_path has room for 108 bytes only.
bool make_address(int dir_fd, const std::string& name, struct sockaddr_un& address) noexcept {
    address.sun_family = AF_UNIX;
    std::string path = "/proc/self/fd/" + std::to_string(dir_fd) + "/" + name;
    if (path.size() >= sizeof address.sun_path) {
        return false;
    }
    std::memcpy(static_cast<char*>(address.sun_path), path.c_str(), path.size() + 1);
    return true;
}

const struct sockaddr* generic(const struct sockaddr_un& address) noexcept {
    return static_cast<const struct sockaddr*>(static_cast<const void*>(&address));
}

} // namespace

std::pair<Fd, Fd> make_packet_pair() {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
        int saved = errno;
        throw_system(saved, "socketpair");
    }
    return {Fd(ends[0]), Fd(ends[1])};
}

Fd listen_at(int dir_fd, const std::string& name) {
    Fd socket{::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)};
    struct sockaddr_un address {};
    if (socket && !make_address(dir_fd, name, address)) {
        throw_system(ENAMETOOLONG, "bind " + printable(name));
    }
    if (!socket || ::bind(socket.get(), generic(address), sizeof address) != 0 ||
        ::listen(socket.get(), backlog) != 0) {
        int saved = errno;
        throw_system(saved, "listen on " + printable(name));
    }
    return socket;
}

namespace {

Fd make_packet_socket(int flags) {
    Fd socket{::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | flags, 0)};
    if (!socket) {
        int saved = errno;
        throw_system(saved, "socket");
    }
    return socket;
}

struct timeval time_limit(std::chrono::milliseconds patience) noexcept {
    struct timeval limit {};
    limit.tv_sec = patience.count() / 1000;
    limit.tv_usec = patience.count() % 1000 * 1000;
    return limit;
}

int try_connect(int socket, const struct sockaddr_un& address) noexcept {
    int result = -1;
    do {
        result = ::connect(socket, generic(address), sizeof address);
    } while (result != 0 && errno == EINTR);
    return result == 0 ? 0 : errno;
}

} // namespace

int try_connect_at(int dir_fd, const std::string& name, std::chrono::milliseconds patience,
                   Fd& result) {
    struct sockaddr_un address {};
    if (!make_address(dir_fd, name, address)) {
        return ENAMETOOLONG;
    }
    Fd socket = make_packet_socket(0);
    struct timeval limit = time_limit(patience);
    if (::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) != 0) {
        int saved = errno;
        throw_system(saved, "set the time limit of a socket");
    }
    int errnum = try_connect(socket.get(), address);
    if (errnum == 0) {
        result = std::move(socket);
    }
    return errnum;
}

int try_reach_at(int dir_fd, const std::string& name) {
    struct sockaddr_un address {};
    return make_address(dir_fd, name, address)
               ? try_connect(make_packet_socket(SOCK_NONBLOCK).get(), address)
               : ENAMETOOLONG;
}

namespace {

/// The address of `path`, however long: then by `directory`, which must stay open until it has
/// been used.
struct sockaddr_un address_of(const std::string& path, Fd& directory) {
    struct sockaddr_un address {};
    address.sun_family = AF_UNIX;
    if (path.size() < sizeof address.sun_path) {
        std::memcpy(static_cast<char*>(address.sun_path), path.c_str(), path.size() + 1);
        return address;
    }
    std::size_t slash = path.rfind('/');
    directory = open_at(AT_FDCWD, path.substr(0, slash + 1), O_PATH | O_DIRECTORY);
    if (!make_address(directory.get(), path.substr(slash + 1), address)) {
        throw_system(ENAMETOOLONG, "connect to " + printable(path));
    }
    return address;
}

} // namespace

Fd connect_stream(const std::string& path) {
    Fd directory;
    struct sockaddr_un address = address_of(path, directory);
    Fd socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    int errnum = socket ? try_connect(socket.get(), address) : errno;
    if (errnum != 0) {
        throw_system(errnum, "connect to " + printable(path));
    }
    return socket;
}

int try_reach_stream(const std::string& path) {
    Fd directory;
    struct sockaddr_un address = address_of(path, directory);
    Fd socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    int errnum = socket ? try_connect(socket.get(), address) : errno;
    return errnum == EAGAIN ? 0 : errnum; // the queue of one who listens is full
}

Fd bind_datagram_at(int dir_fd, const std::string& name) {
    Fd socket{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    struct sockaddr_un address {};
    if (socket && !make_address(dir_fd, name, address)) {
        throw_system(ENAMETOOLONG, "bind " + printable(name));
    }
    mode_t mask = ::umask(0); // the mode at birth: nothing is done to a path afterwards
    int result = socket ? ::bind(socket.get(), generic(address), sizeof address) : -1;
    int saved = errno;
    (void)::umask(mask);
    if (result != 0) {
        throw_system(saved, "bind " + printable(name));
    }
    return socket;
}

Fd connect_datagram(const std::string& path, std::chrono::milliseconds patience) {
    Fd directory;
    struct sockaddr_un address = address_of(path, directory);
    socklen_t length = sizeof address;
    if (path.starts_with('@')) { // unix(7), abstract: as long as it says
        address.sun_path[0] = '\0';
        length = static_cast<socklen_t>(offsetof(struct sockaddr_un, sun_path) + path.size());
    }
    Fd socket{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    struct timeval limit = time_limit(patience);
    if (!socket || ::connect(socket.get(), generic(address), length) != 0 ||
        ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) != 0) {
        int saved = errno;
        throw_system(saved, "connect to " + printable(path));
    }
    return socket;
}

Fd accept_connection(int listener) {
    for (;;) {
        Fd connection{::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC)};
        int saved = errno;
        if (connection) {
            return connection;
        }
        bool full = saved == EMFILE || saved == ENFILE || saved == ENOBUFS || saved == ENOMEM;
        if (full) { // the connection stays in the queue until the host has room again
            pause_for(std::chrono::milliseconds(20));
        } else if (saved != EINTR && saved != ECONNABORTED && saved != EAGAIN) {
            throw_system(saved, "accept at the start gate");
        }
    }
}

std::uint32_t peer_uid_of(int socket) {
    struct ucred credentials {};
    socklen_t length = sizeof credentials;
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0) {
        int saved = errno;
        throw_system(saved, "credentials of a socket's peer");
    }
    return credentials.uid;
}

namespace {

/// The bytes that were taken, or -1 with errno.
ssize_t send_part(int socket, std::span<const std::uint8_t> data,
                  std::span<const int> fds) noexcept {
    struct iovec part {};
    part.iov_base = const_cast<std::uint8_t*>(data.data()); // NOLINT: sendmsg only reads it
    part.iov_len = data.size();
    alignas(struct cmsghdr) std::array<char, CMSG_SPACE(max_fds * sizeof(int))> control{};
    struct msghdr message {};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (!fds.empty()) {
        message.msg_control = control.data();
        message.msg_controllen = CMSG_SPACE(fds.size_bytes());
        struct cmsghdr* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(fds.size_bytes());
        std::memcpy(CMSG_DATA(header), fds.data(), fds.size_bytes());
    }
    ssize_t sent = -1;
    do {
        sent = ::sendmsg(socket, &message, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent;
}

} // namespace

int try_send_packet(int socket, std::span<const std::uint8_t> data,
                    std::span<const int> fds) noexcept {
    if (fds.size() > max_fds) {
        return EINVAL;
    }
    return send_part(socket, data, fds) < 0 ? errno : 0;
}

int try_send_stream(int socket, std::span<const std::uint8_t> data,
                    std::span<const int> fds) noexcept {
    while (!data.empty()) {
        ssize_t sent = send_part(socket, data, fds);
        if (sent < 0) {
            return errno;
        }
        data = data.subspan(static_cast<std::size_t>(sent));
        fds = {};
    }
    return 0;
}

namespace {

/// recvmsg(2) of at most `limit` bytes: the errno; EMSGSIZE, which it never gives: something was
/// cut.
int receive_into(Packet& packet, int socket, std::size_t limit, std::span<char> control,
                 int flags) {
    // Not filled with zeros: a page that no byte comes to is never touched.
    std::unique_ptr<std::uint8_t[]> room = std::make_unique_for_overwrite<std::uint8_t[]>(limit);
    struct iovec part {};
    part.iov_base = room.get();
    part.iov_len = limit;
    struct msghdr message {};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    ssize_t got = -1;
    do {
        got = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC | flags);
        // ECONNRESET: the peer closed with a packet of ours unread. It is told once, before what
        // the peer has sent itself.
    } while (got < 0 && (errno == EINTR || errno == ECONNRESET));
    if (got < 0) {
        return errno;
    }
    for (struct cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
         header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
            packet.fds.emplace_back(fd);
        }
    }
    packet.data.assign(room.get(), room.get() + got);
    const bool cut = (static_cast<unsigned>(message.msg_flags) & (MSG_TRUNC | MSG_CTRUNC)) != 0;
    return cut ? EMSGSIZE : 0;
}

} // namespace

Packet receive_packet(int socket, std::size_t limit) {
    Packet packet;
    alignas(struct cmsghdr) std::array<char, CMSG_SPACE(max_fds * sizeof(int))> control{};
    int errnum = receive_into(packet, socket, limit, control, 0);
    if (errnum == EMSGSIZE) {
        throw_error(ErrorKind::internal, "a packet of the other process was cut");
    }
    if (errnum != 0) {
        throw_system(errnum, "receive from the other process");
    }
    return packet;
}

int try_receive_datagram(int socket, std::size_t limit, Packet& result) {
    result = {};
    alignas(struct cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    int errnum = receive_into(result, socket, limit, control, MSG_DONTWAIT);
    if (errnum != 0) {
        result = {};
    }
    return errnum == EMSGSIZE ? 0 : errnum;
}

Ready wait_readable(int first, int second, std::chrono::milliseconds limit) {
    std::chrono::steady_clock::time_point end = std::chrono::steady_clock::now() + limit;
    for (;;) {
        auto rest = std::chrono::duration_cast<std::chrono::milliseconds>(
            end - std::chrono::steady_clock::now());
        std::array<struct pollfd, 2> entries{{{first, POLLIN, 0}, {second, POLLIN, 0}}};
        int ready = ::poll(entries.data(), entries.size(),
                           rest.count() > 0 ? static_cast<int>(rest.count()) : 0);
        int saved = errno;
        if (ready < 0 && saved != EINTR) {
            throw_system(saved, "poll");
        }
        if (ready == 0) {
            return Ready::neither;
        }
        if (ready > 0) {
            return entries[0].revents != 0 ? Ready::first : Ready::second;
        }
    }
}

} // namespace coracle::sys
