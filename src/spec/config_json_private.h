#pragma once

#include "coracle/spec/config.h"
#include "spec/json_private.h"

#include <map>
#include <string>
#include <vector>

/// The parts of parse_config, one file per area of the runtime-spec.
namespace coracle::spec {

[[nodiscard]] Process parse_process(const json::View& view);
[[nodiscard]] Linux parse_linux(const json::View& view);
[[nodiscard]] Seccomp parse_seccomp(const json::View& view);
[[nodiscard]] Resources parse_resources(const json::View& view);
[[nodiscard]] Hooks parse_hooks(const json::View& view);
[[nodiscard]] std::vector<IdMapping> parse_id_mappings(const json::View& view);
[[nodiscard]] std::map<std::string, std::string> parse_string_map(const json::View& view);

} // namespace coracle::spec
