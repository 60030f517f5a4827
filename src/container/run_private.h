#pragma once

#include "creation_private.h"
#include "foreground_private.h"

#include <chrono>
#include <functional>
#include <optional>
#include <sys/types.h>

namespace coracle::container {

/// How a container runs in the foreground.
struct ForegroundRun {
    bool keep = false;    ///< it is not deleted when it ends
    bool explain = false; ///< what its filter refuses is reported
    std::optional<std::chrono::milliseconds> time_limit;
    UnhandledSignals unhandled = UnhandledSignals::are_spared;
    std::function<void(pid_t init)> before_start; ///< empty: nothing is to be done
};

/// Creates and starts the container, waits for its end and deletes it.
[[nodiscard]] End run_in_foreground(const Context& context, const CreateOptions& options,
                                    const Decision& decision, const ForegroundRun& run,
                                    int proc_fd);

} // namespace coracle::container
