#pragma once

#include "coracle/sys/fd.h"

#include <string>
#include <string_view>

namespace coracle::sys {

/// A program that is embedded in this one, in a file that nobody else has: a memfd, or where that
/// cannot be had a file without a name on the host's disk or /dev/shm. Runs in: parent.
class ProgramFile {
  public:
    /// `image` must live on: the bytes of the program, in this program's own read-only data.
    /// Throws: system; unsupported if there is no place for it.
    ProgramFile(const std::string& name, std::string_view image);
    [[nodiscard]] int fd() const noexcept { return fd_.get(); }
    /// It is complete, and nobody can change it any more. Throws: system.
    void fill();

  private:
    std::string_view image_;
    Fd fd_;
    bool filled_ = false;
};

} // namespace coracle::sys
