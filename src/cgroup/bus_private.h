#pragma once

#include "coracle/plan/cgroup_plan.h"
#include "coracle/sys/fd.h"

#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace coracle::cgroup {

/// What the manager answered where it did not do as asked.
struct BusError {
    std::string name; ///< "org.freedesktop.systemd1.UnitExists"
    std::string text;
};

struct BusRequest;
struct BusAnswer;

/// The manager of units of systemd, asked by a program of ours that lives as long as this object:
/// coracle-bus, which alone knows of sd-bus. Runs in: parent.
/// Source: org.freedesktop.systemd1(5).
class Bus {
  public:
    /// The program is on its way, and nothing is awaited yet: that libsystemd is not there
    /// (unsupported), or the bus not reached (system), is thrown by what asks for an answer first.
    /// Throws: system.
    explicit Bus(std::string socket_path);
    Bus(const Bus&) = delete;
    Bus& operator=(const Bus&) = delete;
    Bus(Bus&&) = delete;
    Bus& operator=(Bus&&) = delete;
    ~Bus();

    /// Whether what was asked last may have reached systemd: the bus had taken this client in, or
    /// the program began, and ended without a word.
    [[nodiscard]] bool may_have_asked() const noexcept { return may_have_asked_; }

    /// Asks for a transient scope with these processes in it; does not wait. `oom_policy`: its
    /// OOMPolicy=, where the library is of a systemd that knows that: 253. Throws: system.
    void start_scope(const std::string& name, std::vector<plan::UnitProperty> properties,
                     const std::string& oom_policy, pid_t pid) const;
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
    /// The process becomes the unit's, in its cgroup `sub_cgroup` ("" or "/a").
    [[nodiscard]] std::optional<BusError> attach(const std::string& name,
                                                 const std::string& sub_cgroup, pid_t pid);

    /// What keeps systemd from answering; empty: nothing.
    [[nodiscard]] std::string find_problem();

  private:
    void start_program();
    /// Whether it has been executed, and not ended before its first act. Throws: what it could not
    /// be executed for.
    [[nodiscard]] bool await_hello();
    /// It is gone; its wait status.
    int end_program() noexcept;
    void send(const BusRequest& request) const;
    /// Nothing if the program has ended.
    [[nodiscard]] std::optional<BusAnswer> receive();
    [[nodiscard]] std::optional<BusAnswer> receive_packet() const;
    [[noreturn]] void throw_ended();
    /// Of a program that was killed meanwhile, another is asked.
    [[nodiscard]] BusAnswer ask(const BusRequest& request);

    std::string socket_path_;
    sys::Fd channel_;
    pid_t program_ = 0;
    bool said_hello_ = false;
    bool may_have_asked_ = false;
};

} // namespace coracle::cgroup
