#pragma once

#include "coracle/spec/config.h"

namespace coracle::spec {

/// Returns if `config` keeps the rules between fields that need neither the host nor privileges:
/// ociVersion 1.x, root present, absolute cwd, args not empty, env entries NAME=VALUE, ids below
/// 4294967295, namespaces and rlimits named once and known, mappings without overlap, mount
/// destinations, seccomp actions, operators and argument indexes, known enum words.
/// Runs in: parent. Throws: invalid_config, naming the JSON pointer and the rule.
/// Source: runtime-spec config.md and config-linux.md, section per rule.
void validate(const Config& config);
/// The same for a process alone.
void validate_process(const Process& process);
/// The same for linux.resources alone.
void validate_resources(const Resources& resources);

} // namespace coracle::spec
