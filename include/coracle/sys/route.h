#pragma once

#include "coracle/sys/fd.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// Network devices, by rtnetlink. Source: rtnetlink(7), netlink(7).
namespace coracle::sys {

/// A permanent address of global scope: a struct ifaddrmsg and its attributes, as the kernel gave
/// them.
using DeviceAddress = std::vector<std::uint8_t>;

struct NetworkDevice {
    int index = 0;
    bool up = false;
    std::vector<DeviceAddress> addresses;
};

/// A socket to the devices of this process's network namespace. Throws: system.
[[nodiscard]] Fd open_route_socket();
/// The same of another network namespace; this process is in its own again afterwards.
/// Runs in: parent, which must have one thread. Throws: system.
[[nodiscard]] Fd open_route_socket_in(int namespace_fd, int own_namespace_fd);

/// Nothing if there is no such device. Throws: system.
[[nodiscard]] std::optional<NetworkDevice> find_network_device(int route, const std::string& name);
/// The device leaves the namespace of `route` for another and has `name` there; it is down then,
/// and without addresses. 0 or the errno (EEXIST: the name is taken there).
[[nodiscard]] int try_move_network_device(int route, int index, int namespace_fd,
                                          const std::string& name);
/// The errno, or 0.
[[nodiscard]] int try_bring_device_up(int route, int index);
[[nodiscard]] int try_add_address(int route, int index, const DeviceAddress& address);

} // namespace coracle::sys
