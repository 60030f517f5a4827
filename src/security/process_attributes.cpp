#include "coracle/security/process_attributes.h"

#include "coracle/base/error.h"
#include "coracle/base/number_list.h"
#include "coracle/base/text.h"
#include "coracle/sys/file.h"
#include "coracle/sys/scheduling.h"

#include <cerrno>
#include <fcntl.h>
#include <string>

namespace coracle::security {

namespace {

void apply_scheduler(const plan::SchedulerPlan& wanted) {
    int errnum = sys::try_set_scheduler({wanted.policy, wanted.flags, wanted.nice, wanted.priority,
                                         wanted.runtime, wanted.deadline, wanted.period});
    if (errnum == EPERM) {
        throw_system(errnum, "/process/scheduler: set the scheduler",
                     "a lower nice value or a real-time policy needs CAP_SYS_NICE on the host, or "
                     "RLIMIT_NICE or RLIMIT_RTPRIO high enough, and a CPU cgroup with time for "
                     "real-time processes");
    }
    if (errnum == EINVAL || errnum == EOPNOTSUPP) {
        throw_system(errnum, "/process/scheduler: set the scheduler",
                     "this kernel does not have the policy or a flag, or not with these values");
    }
    if (errnum != 0) {
        throw_system(errnum, "/process/scheduler: set the scheduler");
    }
}

void apply_io_priority(const plan::IoPriorityPlan& wanted) {
    int errnum = sys::try_set_io_priority(wanted.io_class, wanted.level);
    if (errnum != 0) {
        throw_system(errnum, "/process/ioPriority: set the I/O priority",
                     errnum == EPERM ? "the real-time class needs CAP_SYS_NICE on the host" : "");
    }
}

void apply_personality(std::uint32_t persona) {
    int errnum = sys::try_set_personality(persona);
    if (errnum != 0) {
        throw_system(errnum, "/linux/personality: set the execution domain");
    }
}

void apply_memory_policy(const plan::MemoryPolicyPlan& wanted) {
    int errnum = sys::try_set_memory_policy(wanted.mode, wanted.nodes);
    if (errnum == 0) {
        return;
    }
    std::string what = "/linux/memoryPolicy: set the memory policy";
    if (!wanted.nodes.empty()) {
        what += " for nodes " + write_number_list(wanted.nodes);
    }
    throw_system(errnum, what,
                 errnum == EINVAL ? "a node is not there or not in the cpuset, or this kernel does "
                                    "not have the mode or a flag"
                 : errnum == ENOSYS ? "this kernel is built without NUMA"
                 : errnum == EPERM  ? "the seccomp filter of an outer container forbids it"
                                    : "");
}

constexpr const char* core_scheduling = "/annotations/org.coracle.core-scheduling";

/// Whether `errnum` says that this host has no core scheduling.
bool lacks_core_scheduling(int errnum, std::vector<plan::Degradation>& degraded) {
    if (errnum == ENODEV) {
        degraded.push_back({core_scheduling, "no effect: no core runs more than one thread"});
    } else if (errnum == EINVAL) {
        degraded.push_back({core_scheduling, "this kernel has no core scheduling: Linux 5.14 with "
                                             "CONFIG_SCHED_CORE has"});
    }
    return errnum == ENODEV || errnum == EINVAL;
}

[[noreturn]] void throw_label(int errnum, const char* pointer, const std::string& label) {
    const char* why = errnum == ENOENT   ? "no such profile is loaded"
                      : errnum == EINVAL ? "not a label that the loaded policy knows"
                      : errnum == EACCES || errnum == EPERM
                          ? "the policy does not allow the caller to change to it"
                          : "";
    throw_system(errnum, std::string(pointer) + ": set the label " + printable(label), why);
}

} // namespace

void apply_process_attributes(const plan::ProcessPlan& process) {
    if (process.scheduler) {
        apply_scheduler(*process.scheduler);
    }
    if (process.io_priority) {
        apply_io_priority(*process.io_priority);
    }
    if (process.personality) {
        apply_personality(*process.personality);
    }
    if (process.memory_policy) {
        apply_memory_policy(*process.memory_policy);
    }
}

void make_core_cookie(std::vector<plan::Degradation>& degraded) {
    int errnum = sys::try_make_core_cookie();
    if (errnum != 0 && !lacks_core_scheduling(errnum, degraded)) {
        throw_system(errnum, std::string(core_scheduling) + ": PR_SCHED_CORE_CREATE");
    }
}

void share_core_cookie(pid_t pid, std::vector<plan::Degradation>& degraded) {
    int errnum = sys::try_share_core_cookie(pid);
    if (errnum == 0 || lacks_core_scheduling(errnum, degraded)) {
        return;
    }
    make_core_cookie(degraded);
    degraded.push_back({core_scheduling, "a cookie of its own, since that of the container is not "
                                         "given: " +
                                             describe_errno(errnum)});
}

void apply_labels(const plan::ProcessPlan& process, int proc_fd) {
    if (!process.apparmor_change.empty()) {
        int errnum =
            sys::try_write_file(proc_fd, "self/attr/apparmor/exec", process.apparmor_change);
        sys::Fd own_directory;
        // Before Linux 5.8 there is one file for whichever module is in use. A profile that is not
        // loaded is ENOENT too, from the write.
        if (errnum == ENOENT &&
            sys::try_open_at(proc_fd, "self/attr/apparmor", O_PATH, 0, own_directory) == ENOENT) {
            errnum = sys::try_write_file(proc_fd, "self/attr/exec", process.apparmor_change);
        }
        if (errnum != 0) {
            throw_label(errnum, "/process/apparmorProfile", process.apparmor_change);
        }
    }
    if (!process.selinux_label.empty()) {
        int errnum = sys::try_write_file(proc_fd, "self/attr/exec", process.selinux_label);
        if (errnum != 0) {
            throw_label(errnum, "/process/selinuxLabel", process.selinux_label);
        }
    }
}

} // namespace coracle::security
