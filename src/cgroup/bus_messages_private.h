#pragma once

#include "bus_private.h"
#include "coracle/base/error.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <sys/types.h>
#include <vector>

/// What the parent and the program that speaks with systemd say to each other, a packet each.
namespace coracle::cgroup {

enum class BusVerb : std::uint8_t {
    start_scope,
    is_without_processes,
    stop_unit,
    reset_failed,
    set_properties,
    attach,
};

/// From the parent. Every request is answered once, in order.
struct BusRequest {
    BusVerb verb{};
    std::string unit;
    std::string sub_cgroup; ///< attach
    std::string oom_policy; ///< start_scope, where the library is of a systemd that knows it: 253
    std::vector<plan::UnitProperty> properties;
    std::vector<std::uint32_t> pids;
};

/// To the parent.
struct BusAnswer {
    bool is_hello = false;           ///< not an answer: the program was executed, the first packet
    bool has_greeted = false;        ///< the bus had taken the client in: it was asked
    bool yes = false;                ///< is_without_processes
    std::optional<BusError> refused; ///< what systemd says against it
    bool has_failed = false;         ///< the rest is an Error
    ErrorKind kind{};
    std::int32_t errnum = 0;
    std::string text;
};

[[nodiscard]] std::vector<std::uint8_t> encode(const BusRequest& request);
[[nodiscard]] std::vector<std::uint8_t> encode(const BusAnswer& answer);
/// Throw: internal, if it is none.
[[nodiscard]] BusRequest decode_request(std::span<const std::uint8_t> data);
[[nodiscard]] BusAnswer decode_answer(std::span<const std::uint8_t> data);

/// The most that one packet holds; systemd itself takes no larger property.
inline constexpr std::size_t max_bus_packet = std::size_t{1} << 16;

} // namespace coracle::cgroup
