#pragma once

#include "coracle/sys/fd.h"
#include "notify_private.h"

#include <sys/types.h>

namespace coracle::container {

/// Blocks every signal, so that none is lost between here and attend. Runs in: parent, before any
/// clone; init resets the mask.
void block_signals();

enum class Orphans {
    none,  ///< init is pid 1 of its namespace and gets them
    adopt, ///< this process is their subreaper: it reaps them, and ends those that outlive init
};

/// Waits for `init`, our child, to end: forwards signals to it, carries bytes between the standard
/// streams and `console` (the manager end of its terminal, or empty), and passes notifications on
/// (`notify`: nullptr if there are none). Returns its wait status.
/// Runs in: parent of a foreground run.
[[nodiscard]] int attend(pid_t init, int pidfd, sys::Fd console, Orphans orphans,
                         NotifyProxy* notify = nullptr);

} // namespace coracle::container
