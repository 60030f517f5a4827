#pragma once

#include "coracle/sys/fd.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace coracle::sys {

/// Two connected SOCK_SEQPACKET ends. Throws: system.
[[nodiscard]] std::pair<Fd, Fd> make_packet_pair();

/// A SOCK_SEQPACKET socket bound to `name` in the directory and listening. The path goes through
/// /proc/self/fd, so its length does not matter. Throws: system.
[[nodiscard]] Fd listen_at(int dir_fd, const std::string& name);

/// Connects to a SOCK_SEQPACKET socket in the directory: 0 and `result`, or the errno
/// (ECONNREFUSED: nobody listens; ENOENT; EAGAIN: the queue is full, and was so for `patience`,
/// which is not 0). Throws: system, if there can be no socket.
[[nodiscard]] int try_connect_at(int dir_fd, const std::string& name,
                                 std::chrono::milliseconds patience, Fd& result);
/// The same, without waiting, to ask only whether somebody listens: 0, or the errno.
[[nodiscard]] int try_reach_at(int dir_fd, const std::string& name);

/// Connects to the SOCK_STREAM socket at `path`, however long. Throws: system, naming the path.
[[nodiscard]] Fd connect_stream(const std::string& path);

/// Whether somebody listens there: 0, or the errno. Does not wait. Throws: system, if the directory
/// of a long path cannot be opened.
[[nodiscard]] int try_reach_stream(const std::string& path);
/// A SOCK_DGRAM socket bound to `name` in the directory, to which everybody who reaches the file
/// may send; reading it does not wait. Throws: system.
[[nodiscard]] Fd bind_datagram_at(int dir_fd, const std::string& name);
/// Connects to the SOCK_DGRAM socket at `path`, "@NAME" for an abstract one. Sending gives up with
/// EAGAIN after `patience`. Throws: system, naming the path.
[[nodiscard]] Fd connect_datagram(const std::string& path, std::chrono::milliseconds patience);

/// The next connection. Waits, too, while there is no memory or no fd left for one. Throws: system.
[[nodiscard]] Fd accept_connection(int listener);

/// The peer's uid. Throws: system. Source: unix(7), SO_PEERCRED.
[[nodiscard]] std::uint32_t peer_uid_of(int socket);

/// The most that the kernel takes beside one packet. Source: SCM_MAX_FD, unix(7).
inline constexpr std::size_t max_packet_fds = 253;

/// Sends one packet with fds beside it, without SIGPIPE: 0, or the errno (EPIPE: the peer is gone).
[[nodiscard]] int try_send_packet(int socket, std::span<const std::uint8_t> data,
                                  std::span<const int> fds) noexcept;

/// Sends all of `data` over a stream, the fds beside its first part: 0, or the errno.
[[nodiscard]] int try_send_stream(int socket, std::span<const std::uint8_t> data,
                                  std::span<const int> fds) noexcept;

struct Packet {
    std::vector<std::uint8_t> data; ///< empty: the peer has closed
    std::vector<Fd> fds;
};

/// The next packet, of at most `limit` bytes. Waits until one comes or the peer closes.
/// Throws: system; internal if it was cut.
[[nodiscard]] Packet receive_packet(int socket, std::size_t limit);

/// The next datagram, without waiting for one: 0, or the errno (EAGAIN: none is there). What is
/// longer than `limit`, or has more than one or two fds, comes without data and fds.
[[nodiscard]] int try_receive_datagram(int socket, std::size_t limit, Packet& result);

/// What came first on one of two fds.
enum class Ready { first, second, neither };
/// Waits until `first` or `second` (-1: not watched) is readable or hung up, `limit` at most;
/// `first` wins a tie. Throws: system.
[[nodiscard]] Ready wait_readable(int first, int second, std::chrono::milliseconds limit);

} // namespace coracle::sys
