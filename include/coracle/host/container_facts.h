#pragma once

#include "coracle/host/facts.h"

#include <string>
#include <vector>

namespace coracle::host {

/// Asks about the process whose /proc/PID is `directory`. Runs in: parent of `exec`.
/// Throws: system; denied if the caller may not inspect it.
[[nodiscard]] ContainerFacts detect_container_facts(int proc_fd, int directory);

/// The text of a uid_map or gid_map. Throws: system, if it is not one.
[[nodiscard]] std::vector<IdMapLine> parse_id_map(const std::string& text);

} // namespace coracle::host
