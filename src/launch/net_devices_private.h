#pragma once

#include "coracle/plan/launch_plan.h"
#include "coracle/sys/fd.h"
#include "coracle/sys/route.h"

#include <string>
#include <sys/types.h>
#include <vector>

namespace coracle::launch {

/// The network devices of linux.netDevices: moved from the caller's network namespace into that of
/// `pid`, up, with the permanent addresses they had. Until keep() is called its destruction brings
/// them back as they were.
/// Runs in: parent, while init waits.
class NetDevices {
  public:
    NetDevices() = default;
    NetDevices(const NetDevices&) = delete;
    NetDevices& operator=(const NetDevices&) = delete;
    NetDevices(NetDevices&&) = delete;
    NetDevices& operator=(NetDevices&&) = delete;
    ~NetDevices();

    /// Throws: system, naming device and cure; denied if the container has no network of its own.
    void move(const std::vector<plan::NetDevicePlan>& devices, int proc_fd, pid_t pid);
    void keep() noexcept { moved_.clear(); }

  private:
    struct Moved {
        std::string host_name;
        std::string name;
        sys::NetworkDevice before;
    };
    void move_one(const plan::NetDevicePlan& device, const std::string& pointer);
    void bring_back(const Moved& device) const;

    sys::Fd host_namespace_;
    sys::Fd namespace_;
    sys::Fd host_route_;
    sys::Fd route_;
    std::vector<Moved> moved_;
};

} // namespace coracle::launch
