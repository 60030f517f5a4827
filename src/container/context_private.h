#pragma once

#include "coracle/container/operations.h"
#include "coracle/container/state_dir.h"
#include "coracle/container/status.h"

#include <string>

namespace coracle::container {

/// The state root that the context names, or the default for this caller.
[[nodiscard]] std::string state_root_path(const Context& context);

/// A container that must be there, with its record and its init.
struct Found {
    ContainerDir dir;
    spec::Record record;
    LiveInit init;
    Status status = Status::stopped;
};
/// Throws: not_found "container does not exist"; as ContainerDir::load.
[[nodiscard]] Found require_container(const Context& context, const std::string& id,
                                      StateRoot::Access access = StateRoot::Access::change);

/// SIGKILL, and the process is gone within ten seconds. Throws: system.
void kill_init(const LiveInit& init);

/// "2026-01-02T03:04:05.123456789Z"
[[nodiscard]] std::string timestamp_now();

} // namespace coracle::container
