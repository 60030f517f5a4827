#pragma once

#include <cstdint>

namespace coracle {

/// A user or group id as the runtime's own user namespace counts it.
enum class HostId : std::uint32_t {};
/// A user or group id as the container's user namespace counts it.
enum class ContainerId : std::uint32_t {};

[[nodiscard]] constexpr std::uint32_t value_of(HostId id) noexcept {
    return static_cast<std::uint32_t>(id);
}
[[nodiscard]] constexpr std::uint32_t value_of(ContainerId id) noexcept {
    return static_cast<std::uint32_t>(id);
}

} // namespace coracle
