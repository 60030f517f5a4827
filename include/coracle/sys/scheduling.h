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

} // namespace coracle::sys
