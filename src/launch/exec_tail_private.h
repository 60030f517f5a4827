#pragma once

#include <cstddef>
#include <cstdint>

/// The bare zone: from here to execve(2) nothing throws, allocates or calls into another file; only
/// raw system calls, since the filter may forbid anything.
namespace coracle::launch {

/// Everything the tail needs, prepared before. Borrowed.
struct ExecTail {
    const char* path;
    char* const* argv;
    char* const* envp;
    int landlock;                ///< the ruleset; -1: none
    const void* filter;          ///< struct sock_filter[]; null: none
    unsigned short filter_count; ///< of struct sock_filter
    unsigned filter_flags;       ///< SECCOMP_FILTER_FLAG_*
    int* listener;               ///< shared with ListenerSender; null: the filter has none
    int listener_sender;         ///< its pid
    unsigned first_closed_fd;    ///< this one and all above are closed, but report_fd
    unsigned fd_table_size;      ///< of sys::FdTable
    int report_fd;               ///< close-on-exec: EOF there tells that execve is done
    std::uint8_t* failure;       ///< encode_bare_failure()
    std::size_t failure_size;
};

/// Restricts the process, loads the filter and executes the program. What failed goes to report_fd
/// as the Failed frame; then the process ends with status 1, but after a failed execve(2), whose
/// errno is returned. Runs in: init, last.
[[nodiscard]] int execute(const ExecTail& tail) noexcept;

} // namespace coracle::launch
