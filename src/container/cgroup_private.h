#pragma once

#include "context_private.h"
#include "coracle/cgroup/placement.h"
#include "coracle/spec/documents.h"

#include <optional>

/// The cgroup of a container, as its record has it. Runs in: parent of any verb.
namespace coracle::container {

/// Nothing if the container has none of its own, or was made before the host was booted last.
[[nodiscard]] std::optional<cgroup::Location> find_location(const spec::Record& record);
[[nodiscard]] spec::CgroupRecord make_cgroup_record(const cgroup::Location& location);

/// The cgroup of a living container, for a verb that needs one.
struct LivingCgroup {
    cgroup::Location location;
    cgroup::Directory directory;
};
/// Nothing if it has none. Throws: wrong_state if the container does not live.
[[nodiscard]] std::optional<LivingCgroup> find_cgroup(const Found& found, const char* verb);
/// The same, and throws unsupported if it has none, saying why.
[[nodiscard]] LivingCgroup require_cgroup(const Found& found, const char* verb);

/// Whether the container's processes are frozen; false without a cgroup.
[[nodiscard]] bool is_paused(const spec::Record& record);

/// The processes in the container's cgroup are killed, and it is gone. Throws: system.
void remove_cgroup(const spec::Record& record);

} // namespace coracle::container
