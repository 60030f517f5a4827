#pragma once

#include "coracle/sys/fd.h"
#include "explainer_private.h"
#include "notify_private.h"

#include <chrono>
#include <optional>
#include <sys/types.h>

namespace coracle::container {

/// Blocks every signal, so that none is lost between here and attend. Runs in: parent, before any
/// clone; init resets the mask.
void block_signals();

enum class Orphans {
    none,  ///< init is pid 1 of its namespace and gets them
    adopt, ///< this process is their subreaper: it reaps them, and ends those that outlive init
};

/// The kernel spares the first process of a pid namespace every signal that it has no handler for:
/// pid_namespaces(7).
enum class UnhandledSignals {
    are_spared,
    end_it, ///< those that would end any other process do so
};

/// What is to be done while one waits.
struct Care {
    Orphans orphans = Orphans::none;
    NotifyProxy* notify = nullptr;  ///< passes notifications on; nullptr: there are none
    Explainer* explainer = nullptr; ///< answers for the payload's filter; nullptr: nobody does
    std::optional<std::chrono::milliseconds> time_limit; ///< after it the payload is killed
    UnhandledSignals unhandled = UnhandledSignals::are_spared;
};

/// How a payload has ended.
struct End {
    int status = 0;         ///< of wait(2); SIGSYS if the explainer had to kill it
    bool timed_out = false; ///< it was killed because its time was over
    int signal = 0;         ///< it was killed in place of this signal; 0: it was not
};

/// Waits for `init`, our child, to end: forwards signals to it, carries bytes between the standard
/// streams and `console` (the manager end of its terminal, or empty), and does what `care` says.
/// Runs in: parent of a foreground run.
[[nodiscard]] End attend(pid_t init, int pidfd, sys::Fd console, const Care& care);

} // namespace coracle::container
