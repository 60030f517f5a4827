#pragma once

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

} // namespace coracle::launch
