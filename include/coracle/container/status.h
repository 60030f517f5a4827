#pragma once

#include "coracle/spec/documents.h"
#include "coracle/sys/fd.h"

#include <string>

namespace coracle::container {

class ContainerDir;

/// runtime-spec runtime.md#state. `paused` comes with cgroups.
enum class Status { creating, created, running, stopped };
[[nodiscard]] const char* name_of(Status status) noexcept;

/// What the machine says now about the process of a record.
struct ProcessView {
    bool is_init = false;      ///< pid, start time and boot id fit, and it has not ended
    bool gate_waiting = false; ///< somebody listens at the start gate
    bool creator_at_work = false;
};

/// Pure: the status is computed, never stored.
[[nodiscard]] Status status_of(const spec::Record& record, const ProcessView& view) noexcept;

/// A container's init, if it lives: its pidfd stays this process's, whatever becomes of the pid.
struct LiveInit {
    sys::Fd pidfd; ///< empty: it has ended, or never was
};
/// Opens the pidfd first and compares the start time after: a reused pid is never taken for init.
[[nodiscard]] LiveInit find_init(const spec::Record& record, int proc_fd);

/// Looks at process and gate.
[[nodiscard]] Status detect_status(const ContainerDir& dir, const spec::Record& record,
                                   const LiveInit& init);

} // namespace coracle::container
