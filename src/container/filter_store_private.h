#pragma once

#include "coracle/plan/launch_plan.h"

#include <cstdint>
#include <vector>

/// Compiled seccomp filters, kept for the next container and the next exec with the same:
///     <root>/.filters/             0700
///     <root>/.filters/<hash>       0600, written whole; see contrib/adr/0019
/// A file is used only if it is the caller's, nobody else may write to it, and it repeats byte for
/// byte everything that the program was made from; its name only finds it.
namespace coracle::container {

/// The program of `seccomp`, from the store or compiled and put there; `root_fd` is the state root.
/// A store that cannot be read or written is no error: then it is compiled.
/// Runs in: parent. Throws: as security::compile_seccomp.
[[nodiscard]] std::vector<std::uint8_t> compile_filter(int root_fd,
                                                       const plan::SeccompPlan& seccomp);

} // namespace coracle::container
