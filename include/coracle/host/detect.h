#pragma once

#include "coracle/host/facts.h"

#include <cstdint>
#include <string>

namespace coracle::host {

/// Asks this machine. `proc_fd` is an O_PATH fd of /proc.
/// Runs in: parent, before any clone. Throws: system.
/// Source: capabilities(7), user_namespaces(7), proc_pid_status(5).
[[nodiscard]] Facts detect_facts(int proc_fd);

/// The facts that /proc/self/status holds: groups, bounding set, ignored signals and, in
/// `effective`, the effective capabilities. For detect_facts and tests.
void parse_status(const std::string& text, Facts& facts, std::uint64_t& effective);

/// The effective uid: whose state directory, records and containers they are.
[[nodiscard]] std::uint32_t effective_uid() noexcept;
[[nodiscard]] std::uint32_t effective_gid() noexcept;

/// Whether the current user namespace is the initial one. Source: PROC_USER_INIT_INO,
/// include/linux/proc_ns.h.
[[nodiscard]] bool in_initial_user_namespace();

/// Throws `denied` if this program runs set-uid, set-gid or with file capabilities: coracle gives
/// no privilege that the caller does not have. Runs in: parent, first of all.
void require_not_privileged_by_file();

} // namespace coracle::host
