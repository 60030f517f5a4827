#pragma once

#include <cstddef>
#include <utility>

namespace coracle::sys {

/// Owns one file descriptor and closes it. Every Fd is close-on-exec.
class Fd {
  public:
    Fd() noexcept = default;
    explicit Fd(int fd) noexcept : fd_(fd) {}
    Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Fd& operator=(Fd&& other) noexcept {
        if (this != &other) {
            reset(std::exchange(other.fd_, -1));
        }
        return *this;
    }
    Fd(const Fd&) = delete;
    Fd& operator=(const Fd&) = delete;
    ~Fd() { reset(); }

    [[nodiscard]] int get() const noexcept { return fd_; }
    [[nodiscard]] explicit operator bool() const noexcept { return fd_ >= 0; }
    /// Gives the descriptor up; the caller owns it now.
    [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
    /// Closes what is held, then holds `fd`.
    void reset(int fd = -1) noexcept;

  private:
    int fd_ = -1;
};

/// A duplicate of `fd`, close-on-exec, numbered 3 or above. Throws: system.
[[nodiscard]] Fd duplicate(int fd);

/// Opens /dev/null on each of 0, 1 and 2 that is closed, so that no descriptor of ours can become
/// a standard stream. Runs in: parent, first of all. Throws: system.
void require_standard_streams();

/// What is written to one end is read from the other.
struct Pipe {
    Fd reader;
    Fd writer;
};

/// Both ends are close-on-exec and the caller's. Throws: system. Source: pipe2(2).
[[nodiscard]] Pipe make_pipe();

/// Raises the soft limit of open files, the hard one too if need be and possible, so that `count`
/// more can be open. Throws: system. Source: getrlimit(2), RLIMIT_NOFILE.
void allow_open_files(std::size_t count);

/// Closes 0, 1 and 2. Runs in: a process that is about to end.
void close_standard_streams() noexcept;

/// Every descriptor from `first` up is close-on-exec. Throws: system.
/// Source: close_range(2), CLOSE_RANGE_CLOEXEC, Linux >= 5.11; else /proc/self/fd.
void close_on_exec_from(unsigned first);

/// What closes descriptors without close_range(2), where that is refused, after /proc has gone.
class FdTable {
  public:
    /// Throws: system. Source: proc_pid_status(5), FDSize.
    FdTable();
    /// No descriptor of this process has this number or a higher one; 0 if close_range(2) works.
    /// Throws: system. Once.
    [[nodiscard]] unsigned size() const;

  private:
    Fd status_;
};

/// Sets or clears close-on-exec. Throws: system.
void keep_over_exec(int fd);
void close_on_exec(int fd);

} // namespace coracle::sys
