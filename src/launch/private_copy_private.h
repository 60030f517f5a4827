#pragma once

#include "channel_private.h"
#include "coracle/sys/program_file.h"

namespace coracle::launch {

/// The container-side program, to be filled and executed. Runs in: parent. Throws: as ProgramFile.
[[nodiscard]] sys::ProgramFile make_private_copy();

/// What execute_private_copy is given; borrowed from the memory of who starts it.
struct CopyStart {
    int private_copy;
    ChildEnd& channel;
    const char* program;                        ///< argv[0], which tells the copy its role
    const char* name;                           ///< of the process until then: "init:begin"
    enum class Copy { awaited, complete } copy; ///< awaited: until CopyReady comes
};

/// For sys::start_child and start_sibling: executes the private copy, with `argument`, a CopyStart.
/// Runs in: init; joiner: before its execve, on the memory of who starts it.
int execute_private_copy(void* argument) noexcept;

} // namespace coracle::launch
