#pragma once

#include "coracle/plan/launch_plan.h"
#include "coracle/sys/fd.h"

namespace coracle::launch {

/// The files that take the output of hooks; empty: none.
struct HookFiles {
    sys::Fd output;
    sys::Fd errors;
};

/// Opens or makes them, by the rights of the caller: regular files that are reached through no
/// symbolic link at the end. Runs in: parent. Throws: system; denied.
[[nodiscard]] HookFiles open_hook_files(const plan::HookOutput& output);

} // namespace coracle::launch
