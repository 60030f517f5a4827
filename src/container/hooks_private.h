#pragma once

#include "context_private.h"
#include "coracle/container/state_dir.h"
#include "coracle/spec/documents.h"

#include <string>
#include <sys/types.h>

/// The hooks that run after create, by what the record says of them. Run in: parent.
namespace coracle::container {

/// What hooks read: the same as `state` prints, with this status and pid.
[[nodiscard]] std::string describe_state(const spec::Record& record, const char* status, pid_t pid);

/// Throws: system, naming the hook that failed.
void run_poststart_hooks(const spec::Record& record);

/// Runs each, whatever becomes of the others; what fails is logged, as
/// errors are: by default a warning would be seen by nobody.
void run_poststop_hooks(const spec::Record& record);

/// Removes what was made for a container whose init has ended, its directory last, around its
/// poststop hooks.
/// Throws: system.
void remove_with_hooks(const ContainerDir& dir, const spec::Record& record);

/// Kills and removes a container on the way out of an error, which is not covered by another: what
/// fails is logged.
void destroy(Found& found);

} // namespace coracle::container
