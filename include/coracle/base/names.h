#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace coracle {

/// The namespace types of runtime-spec config-linux.md#namespaces.
enum class NamespaceKind : std::uint8_t { user, mount, pid, network, ipc, uts, cgroup, time };

/// Every kind, in the order of the enum.
[[nodiscard]] const std::vector<NamespaceKind>& namespace_kinds() noexcept;
/// The runtime-spec's name, such as "network".
[[nodiscard]] const char* name_of(NamespaceKind kind) noexcept;
/// The name below /proc/PID/ns, such as "net".
[[nodiscard]] const char* proc_name_of(NamespaceKind kind) noexcept;
/// The CLONE_NEW* flag. Source: namespaces(7).
[[nodiscard]] std::uint64_t clone_flag_of(NamespaceKind kind) noexcept;
[[nodiscard]] std::optional<NamespaceKind> find_namespace_kind(std::string_view name) noexcept;

/// The number of a capability name "CAP_CHOWN" (any case); nothing if this build does not know it.
/// Source: capabilities(7), include/uapi/linux/capability.h of Linux 6.x.
[[nodiscard]] std::optional<int> find_capability(std::string_view name) noexcept;
/// The name of capability `number`, "CAP_CHOWN", or null beyond those known.
[[nodiscard]] const char* capability_name(int number) noexcept;
/// One more than the highest capability number known to this build.
[[nodiscard]] int capability_count() noexcept;

/// The RLIMIT_* number of a name "RLIMIT_NOFILE". Source: getrlimit(2).
[[nodiscard]] std::optional<int> find_rlimit(std::string_view name) noexcept;
[[nodiscard]] const char* rlimit_name(int number) noexcept;

/// The signal of "9", "KILL", "SIGKILL", "rtmin+2" (any case); nothing if there is none such.
/// 0 is not a signal here. Source: signal(7).
[[nodiscard]] std::optional<int> find_signal(std::string_view name) noexcept;
/// "SIGKILL", or "signal 42" for a number without a name.
[[nodiscard]] std::string signal_name(int number);

} // namespace coracle
