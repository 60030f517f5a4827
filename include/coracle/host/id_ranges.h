#pragma once

#include "coracle/host/facts.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace coracle::host {

/// The caller's ranges of subordinate ids and the helpers that map them. Reads /etc/passwd,
/// /etc/subuid and /etc/subgid; asks getent(1) for a user that is not in the file, and
/// getsubids(1) where nsswitch.conf names another source for subid than files.
/// Runs in: parent, before any clone. Throws: system.
/// Source: subuid(5), subgid(5), newuidmap(1), getsubids(1).
[[nodiscard]] IdRanges detect_id_ranges(std::uint32_t uid);

/// The ranges of a user, known by name (if not empty) or number, in the text of /etc/subuid or
/// /etc/subgid. A line that is malformed, or a range that is empty or leaves the 32-bit ids, is
/// left out, as shadow does.
[[nodiscard]] std::vector<IdRange> parse_subid(const std::string& text, const std::string& user,
                                               std::uint32_t uid);

/// The ranges in what getsubids(1) prints: "0: alice 100000 65536".
[[nodiscard]] std::vector<IdRange> parse_getsubids(const std::string& text);

/// Whether nsswitch.conf has a source for subid that is not "files".
[[nodiscard]] bool names_other_subid_source(const std::string& nsswitch);

} // namespace coracle::host
