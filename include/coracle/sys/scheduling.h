#pragma once

#include <cstdint>
#include <sys/types.h>
#include <vector>

namespace coracle::sys {

/// What sched_setattr(2) takes; the times are nanoseconds.
struct SchedulerAttributes {
    std::uint32_t policy = 0;
    std::uint64_t flags = 0;
    std::int32_t nice = 0;
    std::uint32_t priority = 0;
    std::uint64_t runtime = 0;
    std::uint64_t deadline = 0;
    std::uint64_t period = 0;
};

/// All of these change the calling process and give 0 or the errno.
/// Source: sched_setattr(2).
[[nodiscard]] int try_set_scheduler(const SchedulerAttributes& attributes) noexcept;
/// Source: ioprio_set(2).
[[nodiscard]] int try_set_io_priority(std::uint32_t io_class, std::uint32_t level) noexcept;
/// Source: personality(2).
[[nodiscard]] int try_set_personality(std::uint32_t persona) noexcept;
/// Source: set_mempolicy(2).
[[nodiscard]] int try_set_memory_policy(std::uint32_t mode,
                                        const std::vector<std::uint64_t>& nodes) noexcept;
/// The CPUs of thread `pid`, 0 for the caller, as base/number_list.h writes them: any number of
/// words. Source: sched_setaffinity(2).
[[nodiscard]] int try_set_affinity(pid_t pid, const std::vector<std::uint64_t>& cpus) noexcept;

/// No process without the caller's cookie runs beside it on a core from here on: a new cookie,
/// which its children share, or that of process `pid`. ENODEV: the cores have one thread each;
/// EINVAL: the kernel is built without. Source: PR_SCHED_CORE(2const), Linux 5.14.
[[nodiscard]] int try_make_core_cookie() noexcept;
[[nodiscard]] int try_share_core_cookie(pid_t pid) noexcept;

/// The core-scheduling cookie of process `pid`; 0: it has none. The errno, or 0: ENODEV where no
/// core has siblings, EINVAL where the kernel was built without it, EPERM.
/// Source: Linux Documentation/admin-guide/hw-vuln/core-scheduling.rst, PR_SCHED_CORE_GET; 5.14.
[[nodiscard]] int try_get_core_cookie(pid_t pid, std::uint64_t& cookie) noexcept;

} // namespace coracle::sys
