#include "net_devices_private.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/sys/file.h"
#include "coracle/sys/namespace.h"
#include "coracle/sys/procfs.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>

namespace coracle::launch {

namespace {

const char* explain(int errnum) noexcept {
    switch (errnum) {
    case EPERM:
        return "it needs CAP_NET_ADMIN over both network namespaces: run coracle as root of the "
               "user namespace that owns them";
    case EEXIST:
        return "the container's network namespace has a device of that name: choose another, or "
               "one that ends in %d";
    case EINVAL:
    case EOPNOTSUPP:
        return "this device cannot leave its network namespace";
    default:
        return "";
    }
}

void require_done(int errnum, const std::string& what) {
    if (errnum != 0) {
        throw_system(errnum, what, explain(errnum));
    }
}

/// Up and with the addresses that it had, wherever it is now.
void restore(int route, int index, const sys::NetworkDevice& before, const std::string& pointer) {
    require_done(sys::try_bring_device_up(route, index), pointer + ": bring it up");
    for (const sys::DeviceAddress& address : before.addresses) {
        require_done(sys::try_add_address(route, index, address),
                     pointer + ": give it its address again");
    }
}

/// The name for "eth%d" is the first that is free.
std::string choose_name(int route, const std::string& name) {
    std::size_t percent = name.find("%d");
    if (percent == std::string::npos) {
        return name;
    }
    for (unsigned number = 0;; ++number) {
        std::string chosen = name;
        chosen.replace(percent, 2, std::to_string(number));
        if (!sys::find_network_device(route, chosen)) {
            return chosen;
        }
    }
}

} // namespace

NetDevices::~NetDevices() {
    std::for_each(moved_.rbegin(), moved_.rend(), [this](const Moved& device) {
        try {
            bring_back(device);
        } catch (const std::exception&) { // catch: an error is on its way already
        }
    });
}

void NetDevices::move(const std::vector<plan::NetDevicePlan>& devices, int proc_fd, pid_t pid) {
    if (devices.empty()) {
        return;
    }
    host_namespace_ = sys::open_at(proc_fd, "self/ns/net", O_RDONLY);
    namespace_ = sys::open_at(proc_fd, sys::proc_path(pid, "ns/net"), O_RDONLY);
    if (sys::is_current_namespace(namespace_.get(), NamespaceKind::network)) {
        throw_error(ErrorKind::denied, "/linux/netDevices: the container shares the caller's "
                                       "network namespace, so there is nowhere to move a device");
    }
    // The way back would be closed: setns(2) wants privilege over both.
    if (!sys::is_owned_by_current_user_namespace(host_namespace_.get())) {
        throw_system(EPERM, "/linux/netDevices: move a device", explain(EPERM));
    }
    host_route_ = sys::open_route_socket();
    route_ = in_context(
        [] { return std::string("/linux/netDevices"); },
        [&] { return sys::open_route_socket_in(namespace_.get(), host_namespace_.get()); });
    for (const plan::NetDevicePlan& device : devices) {
        move_one(device, "/linux/netDevices/" + device.host_name);
    }
}

void NetDevices::move_one(const plan::NetDevicePlan& device, const std::string& pointer) {
    std::optional<sys::NetworkDevice> found =
        sys::find_network_device(host_route_.get(), device.host_name);
    if (!found) {
        throw_system(ENODEV, pointer + ": network device " + printable(device.host_name));
    }
    Moved moved{device.host_name, choose_name(route_.get(), device.name), std::move(*found)};
    const std::string what = pointer + ": move it into the container as " + printable(moved.name);
    if (sys::find_network_device(route_.get(), moved.name)) {
        require_done(EEXIST, what);
    }
    int errnum = sys::try_move_network_device(host_route_.get(), moved.before.index,
                                              namespace_.get(), moved.name);
    if (errnum != 0 && !sys::find_network_device(host_route_.get(), moved.host_name)) {
        moved.name = moved.host_name; // it was moved, and its new name refused
        moved_.push_back(moved);
    }
    require_done(errnum, what);
    moved_.push_back(moved);
    std::optional<sys::NetworkDevice> inside = sys::find_network_device(route_.get(), moved.name);
    if (!inside) {
        throw_error(ErrorKind::internal, pointer + ": is not there after it was moved");
    }
    restore(route_.get(), inside->index, moved.before, pointer);
}

void NetDevices::bring_back(const Moved& device) const {
    std::optional<sys::NetworkDevice> inside = sys::find_network_device(route_.get(), device.name);
    if (!inside || sys::try_move_network_device(route_.get(), inside->index, host_namespace_.get(),
                                                device.host_name) != 0) {
        return;
    }
    std::optional<sys::NetworkDevice> back =
        sys::find_network_device(host_route_.get(), device.host_name);
    if (back && device.before.up) {
        restore(host_route_.get(), back->index, device.before, device.host_name);
    } else if (back) {
        for (const sys::DeviceAddress& address : device.before.addresses) {
            (void)sys::try_add_address(host_route_.get(), back->index, address);
        }
    }
}

} // namespace coracle::launch
