#pragma once

#include "bus_messages_private.h"

#include <memory>
#include <optional>
#include <string>

namespace coracle::cgroup {

/// A connection to the manager of units, over D-Bus. Runs in: coracle-bus.
/// Source: org.freedesktop.systemd1(5), sd-bus(3).
class Connection {
  public:
    /// Nothing is awaited yet. Throws: unsupported if libsystemd is not there; system.
    explicit Connection(const std::string& socket_path);
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    Connection(Connection&&) = delete;
    Connection& operator=(Connection&&) = delete;
    ~Connection();

    /// Waits until the bus has taken this client in; else what there is against it. Throws: system.
    [[nodiscard]] std::optional<BusError> greet();
    [[nodiscard]] bool has_greeted() const noexcept;

    /// What is asked for is done, a job of systemd to its end. Throws: system, if the bus fails.
    [[nodiscard]] BusAnswer handle(const BusRequest& request);

  private:
    struct State;

    [[nodiscard]] std::optional<BusError> start_scope(const BusRequest& request);
    [[nodiscard]] bool is_without_processes(const std::string& name);
    [[nodiscard]] std::optional<BusError> stop_unit(const std::string& name);
    [[nodiscard]] std::optional<BusError> reset_failed(const std::string& name);
    [[nodiscard]] std::optional<BusError> set_properties(const BusRequest& request);
    [[nodiscard]] std::optional<BusError> attach(const BusRequest& request);

    std::unique_ptr<State> state_;
};

} // namespace coracle::cgroup
