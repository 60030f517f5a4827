#pragma once

#include "coracle/plan/cgroup_plan.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

/// The manager of units, over D-Bus: the only place that knows of sd-bus. libsystemd is opened when
/// a bus is, and never in a child. Runs in: parent.
/// Source: org.freedesktop.systemd1(5), sd-bus(3).
namespace coracle::cgroup {

/// What the manager answered where it did not do as asked.
struct BusError {
    std::string name; ///< "org.freedesktop.systemd1.UnitExists"
    std::string text;
};

class Bus {
  public:
    /// Nothing is awaited yet. Throws: unsupported if libsystemd is not there; system.
    explicit Bus(const std::string& socket_path);
    Bus(const Bus&) = delete;
    Bus& operator=(const Bus&) = delete;
    Bus(Bus&&) = delete;
    Bus& operator=(Bus&&) = delete;
    ~Bus();

    /// Whether the bus has taken this client in: before that nobody is asked anything.
    [[nodiscard]] bool has_answered() const noexcept;
    /// Whether the library is of a systemd that knows OOMPolicy= of scopes: 253.
    [[nodiscard]] bool knows_scope_oom_policy() const noexcept;

    /// Asks for a transient scope with these processes in it; does not wait. Throws: system.
    void start_scope(const std::string& name, const std::vector<plan::UnitProperty>& properties,
                     const std::vector<pid_t>& pids);
    /// The job of the scope is done; or what kept it from that. Throws: system, if the bus fails.
    [[nodiscard]] std::optional<BusError> finish_scope();

    /// Whether there is such a unit, and nobody in it.
    [[nodiscard]] bool is_without_processes(const std::string& name);
    /// The unit's job of stopping is done; a unit that is not there is no error. Throws: system.
    void stop_unit(const std::string& name);
    /// A unit that has failed is forgotten. Never throws for the unit.
    void reset_failed(const std::string& name);
    [[nodiscard]] std::optional<BusError>
    set_properties(const std::string& name, const std::vector<plan::UnitProperty>& properties);
    /// The processes become the unit's, in its cgroup `sub_cgroup` ("" or "/a").
    [[nodiscard]] std::optional<BusError>
    attach(const std::string& name, const std::string& sub_cgroup, const std::vector<pid_t>& pids);

  private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace coracle::cgroup
