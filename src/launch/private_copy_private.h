#pragma once

#include "channel_private.h"
#include "coracle/sys/fd.h"

namespace coracle::launch {

/// The container-side program in a file that nobody else has: a memfd, or where that cannot be had
/// a file without a name on the host's disk or /dev/shm. Runs in: parent.
class PrivateCopy {
  public:
    /// Throws: system; unsupported if there is no place for it.
    PrivateCopy();
    [[nodiscard]] int fd() const noexcept { return fd_.get(); }
    /// It is complete, and nobody can change it any more. Throws: system.
    void fill();

  private:
    sys::Fd fd_;
    bool filled_ = false;
};

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
