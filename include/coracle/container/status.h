#pragma once

#include "coracle/spec/documents.h"
#include "coracle/sys/fd.h"

#include <string>

namespace coracle::container {

class ContainerDir;

/// runtime-spec runtime.md#state, and `paused`: created or running, and frozen by its cgroup.
enum class Status { creating, created, running, paused, stopped };
[[nodiscard]] const char* name_of(Status status) noexcept;

/// What the machine says now about the process of a record.
struct ProcessView {
    bool is_init = false;      ///< pid, start time and boot id fit, and it has not ended
    bool gate_waiting = false; ///< somebody listens at the start gate
    bool creator_at_work = false;
    bool frozen = false;
};

/// Pure: the status is computed, never stored.
[[nodiscard]] Status status_of(const spec::Record& record, const ProcessView& view) noexcept;

/// A container's init, if it lives: its pidfd stays this process's, whatever becomes of the pid.
struct LiveInit {
    sys::Fd pidfd; ///< empty: it has ended, or never was
};
/// Opens the pidfd first and compares the start time after: a reused pid is never taken for init.
[[nodiscard]] LiveInit find_init(const spec::Record& record, int proc_fd);

/// Whether the container lives, frozen or not.
[[nodiscard]] bool is_alive(Status status) noexcept;

/// Looks at process, gate and cgroup.
[[nodiscard]] Status detect_status(const ContainerDir& dir, const spec::Record& record,
                                   const LiveInit& init);

} // namespace coracle::container
