#include "exec_tail_private.h"

#include "protocol_private.h"

#include <cerrno>
#include <cstring>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace coracle::launch {

// no_sanitize_address: ASan would make system calls of its own, which the filter may forbid.

namespace {

[[gnu::no_sanitize_address]] void report(const ExecTail& tail, Stage stage,
                                         std::int32_t errnum) noexcept {
    tail.failure[failed_stage_offset] = static_cast<std::uint8_t>(stage);
    std::memcpy(tail.failure + failed_errnum_offset, &errnum, sizeof errnum);
    (void)::syscall(SYS_write, tail.report_fd, tail.failure, tail.failure_size);
}

[[noreturn, gnu::no_sanitize_address]] void report_and_end(const ExecTail& tail, Stage stage,
                                                           std::int32_t errnum) noexcept {
    report(tail, stage, errnum);
    (void)::syscall(SYS_exit_group, 1);
    __builtin_trap(); // the filter forbids even that: a fault ends the process all the same
}

/// Closed, or the program is not executed: an fd of the host must not reach it.
[[gnu::no_sanitize_address]] void close_range(const ExecTail& tail, unsigned first,
                                              unsigned last) noexcept {
    if (first > last || ::syscall(SYS_close_range, first, last, 0U) == 0) {
        return;
    }
    if (tail.fd_table_size == 0) {
        report_and_end(tail, Stage::close, errno);
    }
    for (unsigned fd = first; fd <= last && fd < tail.fd_table_size; ++fd) {
        (void)::syscall(SYS_close, fd); // EBADF: it is not open
    }
}

[[gnu::no_sanitize_address]] void close_all_but_report(const ExecTail& tail) noexcept {
    unsigned kept = static_cast<unsigned>(tail.report_fd);
    if (tail.first_closed_fd < kept) {
        close_range(tail, tail.first_closed_fd, kept - 1);
    }
    close_range(tail, kept + 1, ~0U);
}

/// Gives the listener to the sender and waits until it is sent, without a system call, which the
/// filter might refuse or block: a payload that ends at once would take the sender with it.
[[gnu::no_sanitize_address]] void hand_over(const ExecTail& tail, int listener) noexcept {
    constexpr unsigned long some_seconds = 1UL << 31U; // of turns
    __atomic_store_n(tail.listener, listener, __ATOMIC_RELEASE);
    for (unsigned long turn = 0; turn < some_seconds; ++turn) {
        if (__atomic_load_n(tail.listener, __ATOMIC_ACQUIRE) < 0) {
            break;
        }
    }
    // Reaped, so that the payload has no child that it did not make; where the filter refuses even
    // this, it has a zombie.
    (void)::syscall(SYS_wait4, tail.listener_sender, nullptr, 0, nullptr);
}

} // namespace

[[gnu::no_sanitize_address]] int execute(const ExecTail& tail) noexcept {
    // Before its fd is closed, and before a filter that may forbid it.
    if (tail.landlock >= 0 && ::syscall(SYS_landlock_restrict_self, tail.landlock, 0U) != 0) {
        report_and_end(tail, Stage::landlock, errno);
    }
    close_all_but_report(tail);
    if (tail.filter != nullptr) {
        struct sock_fprog program {};
        program.len = tail.filter_count;
        program.filter = const_cast<struct sock_filter*>( // NOLINT: the kernel only reads it
            static_cast<const struct sock_filter*>(tail.filter));
        long loaded = ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, tail.filter_flags, &program);
        if (loaded < 0 || (loaded != 0 && tail.listener == nullptr)) {
            report_and_end(tail, Stage::seccomp, loaded < 0 ? errno : EBUSY);
        }
        if (tail.listener != nullptr) {
            hand_over(tail, static_cast<int>(loaded));
        }
    }
    (void)::syscall(SYS_execve, tail.path, tail.argv, tail.envp);
    int saved = errno;
    report(tail, Stage::execve, saved);
    return saved;
}

} // namespace coracle::launch
