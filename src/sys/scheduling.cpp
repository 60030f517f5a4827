#include "coracle/sys/scheduling.h"

#include <cerrno>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace coracle::sys {

namespace {

/// struct sched_attr with the two clamps, SCHED_ATTR_SIZE_VER1.
/// Source: include/uapi/linux/sched/types.h.
struct KernelAttributes {
    std::uint32_t size;
    std::uint32_t policy;
    std::uint64_t flags;
    std::int32_t nice;
    std::uint32_t priority;
    std::uint64_t runtime;
    std::uint64_t deadline;
    std::uint64_t period;
    std::uint32_t util_min;
    std::uint32_t util_max;
};
static_assert(sizeof(KernelAttributes) == 56);

int errno_of(long answer) noexcept {
    return answer < 0 ? errno : 0;
}

} // namespace

int try_set_scheduler(const SchedulerAttributes& attributes) noexcept {
    KernelAttributes kernel{};
    kernel.size = sizeof kernel;
    kernel.policy = attributes.policy;
    kernel.flags = attributes.flags;
    kernel.nice = attributes.nice;
    kernel.priority = attributes.priority;
    kernel.runtime = attributes.runtime;
    kernel.deadline = attributes.deadline;
    kernel.period = attributes.period;
    return errno_of(::syscall(SYS_sched_setattr, 0, &kernel, 0U));
}

int try_set_io_priority(std::uint32_t io_class, std::uint32_t level) noexcept {
    constexpr int of_process = 1; // IOPRIO_WHO_PROCESS
    constexpr unsigned class_shift = 13;
    return errno_of(::syscall(SYS_ioprio_set, of_process, 0, io_class << class_shift | level));
}

int try_set_personality(std::uint32_t persona) noexcept {
    return errno_of(::personality(persona));
}

int try_set_memory_policy(std::uint32_t mode, const std::vector<std::uint64_t>& nodes) noexcept {
    // The kernel takes one bit less than it is told.
    unsigned long bits = nodes.empty() ? 0 : nodes.size() * 64 + 1;
    return errno_of(
        ::syscall(SYS_set_mempolicy, mode, nodes.empty() ? nullptr : nodes.data(), bits));
}

int try_set_affinity(pid_t pid, const std::vector<std::uint64_t>& cpus) noexcept {
    return errno_of(
        ::syscall(SYS_sched_setaffinity, pid, cpus.size() * sizeof(std::uint64_t), cpus.data()));
}

int try_make_core_cookie() noexcept {
    return errno_of(
        ::prctl(PR_SCHED_CORE, PR_SCHED_CORE_CREATE, 0, PR_SCHED_CORE_SCOPE_THREAD_GROUP, 0));
}

int try_share_core_cookie(pid_t pid) noexcept {
    return errno_of(
        ::prctl(PR_SCHED_CORE, PR_SCHED_CORE_SHARE_FROM, pid, PR_SCHED_CORE_SCOPE_THREAD, 0));
}

int try_get_core_cookie(pid_t pid, std::uint64_t& cookie) noexcept {
    constexpr unsigned long of_thread = PR_SCHED_CORE_SCOPE_THREAD;
    return ::prctl(PR_SCHED_CORE, PR_SCHED_CORE_GET, pid, of_thread, &cookie) == 0 ? 0 : errno;
}

} // namespace coracle::sys
