#include "spec/validate_private.h"

#include "coracle/base/names.h"
#include "coracle/base/number_list.h"
#include "coracle/spec/process_names.h"

#include <algorithm>

namespace coracle::spec {

namespace {

/// Far beyond the kernel's NR_CPUS, which is 8192 at most.
constexpr std::uint32_t highest_cpu = 65535;

/// Source: runtime-spec config.md#posix-platform-user.
void validate_user(const User& user) {
    const char* const text = "4294967295 is no id: the kernel reads it as \"leave unchanged\"";
    if (user.uid == no_id) {
        refuse("/process/user/uid", text);
    }
    if (user.gid == no_id) {
        refuse("/process/user/gid", text);
    }
    if (user.umask.value_or(0) > 0777) {
        refuse("/process/user/umask", "must be at most 0777 (511)");
    }
    for (std::size_t i = 0; i < user.additional_gids.size(); ++i) {
        if (user.additional_gids[i] == no_id) {
            refuse(element("/process/user/additionalGids", i), text);
        }
    }
}

/// Source: runtime-spec config.md#posix-process; getrlimit(2).
void validate_rlimits(const std::vector<Rlimit>& rlimits) {
    std::vector<std::string_view> seen;
    for (std::size_t i = 0; i < rlimits.size(); ++i) {
        const Rlimit& rlimit = rlimits[i];
        const std::string pointer = element("/process/rlimits", i);
        if (!find_rlimit(rlimit.type)) {
            refuse(pointer + "/type", quote(rlimit.type) + " is not a limit of getrlimit(2)");
        }
        if (contains(seen, rlimit.type)) {
            refuse(pointer + "/type", quote(rlimit.type) + " is given twice");
        }
        seen.push_back(rlimit.type);
        if (rlimit.soft > rlimit.hard) {
            refuse(pointer + "/soft", "is above the hard limit " + std::to_string(rlimit.hard));
        }
    }
}

/// Which members say something under the policy. Source: sched_setattr(2); the bounds of a deadline
/// are those of the kernel's __checkparam_dl.
void validate_scheduler_values(const Scheduler& scheduler) {
    const std::string pointer = "/process/scheduler";
    const bool real_time = scheduler.policy == "SCHED_FIFO" || scheduler.policy == "SCHED_RR";
    if (scheduler.nice < -20 || scheduler.nice > 19) {
        refuse(pointer + "/nice", "must be from -20 to 19");
    }
    if (real_time && (scheduler.priority < 1 || scheduler.priority > 99)) {
        refuse(pointer + "/priority", "must be from 1 to 99 with " + scheduler.policy);
    }
    if (!real_time && scheduler.priority != 0) {
        refuse(pointer + "/priority",
               "goes with SCHED_FIFO and SCHED_RR only, not with " + scheduler.policy);
    }
    if (scheduler.policy != "SCHED_DEADLINE") {
        if (scheduler.runtime != 0 || scheduler.deadline != 0 || scheduler.period != 0) {
            refuse(pointer, "runtime, deadline and period go with SCHED_DEADLINE only");
        }
        return;
    }
    constexpr std::uint64_t least_runtime = 1024; // nanoseconds
    const std::uint64_t period = scheduler.period == 0 ? scheduler.deadline : scheduler.period;
    if (scheduler.runtime < least_runtime || scheduler.runtime > scheduler.deadline ||
        scheduler.deadline > period) {
        refuse(pointer, "SCHED_DEADLINE needs 1024 <= runtime <= deadline <= period, in "
                        "nanoseconds");
    }
}

/// Source: runtime-spec config.md#linux-process.
void validate_scheduler(const Scheduler& scheduler) {
    require_word("/process/scheduler/policy", scheduler.policy, names_of(scheduler_policies()));
    for (std::size_t i = 0; i < scheduler.flags.size(); ++i) {
        require_word(element("/process/scheduler/flags", i), scheduler.flags[i],
                     names_of(scheduler_flags()));
    }
    validate_scheduler_values(scheduler);
}

/// Source: runtime-spec config.md#linux-process; proc_pid_oom_score_adj(5), ioprio_set(2).
void validate_scheduling(const Process& process) {
    if (process.oom_score_adj &&
        (*process.oom_score_adj < -1000 || *process.oom_score_adj > 1000)) {
        refuse("/process/oomScoreAdj", "must be from -1000 to 1000");
    }
    if (process.scheduler) {
        validate_scheduler(*process.scheduler);
    }
    if (process.io_priority) {
        require_word("/process/ioPriority/class", process.io_priority->priority_class,
                     names_of(io_priority_classes()));
        if (process.io_priority->priority < 0 || process.io_priority->priority > 7) {
            refuse("/process/ioPriority/priority", "must be from 0 to 7");
        }
    }
}

/// Source: runtime-spec config.md#linux-process, execCPUAffinity.
void validate_cpu_list(const std::string& pointer, std::string_view list) {
    if (!parse_number_list(list, highest_cpu)) {
        refuse(pointer, quote(list) + " is not a list of CPUs such as \"0-3,7\"");
    }
}

void validate_labels(const Process& process) {
    require_one_line("/process/apparmorProfile", process.apparmor_profile);
    require_one_line("/process/selinuxLabel", process.selinux_label);
}

/// The kernel keeps a terminal's size in 16 bits. Source: ioctl_tty(2), TIOCSWINSZ.
void validate_console_size(const Process& process) {
    constexpr std::uint32_t highest = 65535;
    // Without a terminal the runtime-spec has it ignored.
    if (!process.terminal || !process.console_size) {
        return;
    }
    if (process.console_size->height > highest) {
        refuse("/process/consoleSize/height", "must be from 0 to 65535");
    }
    if (process.console_size->width > highest) {
        refuse("/process/consoleSize/width", "must be from 0 to 65535");
    }
}

} // namespace

void validate_process(const Process& process) {
    require_absolute("/process/cwd", process.cwd);
    if (process.args.empty()) {
        refuse("/process/args", "is empty; name the program to run");
    }
    if (process.args.front().empty()) {
        refuse("/process/args/0", "is empty; name the program to run");
    }
    require_environment("/process/env", process.env);
    validate_user(process.user);
    validate_console_size(process);
    validate_rlimits(process.rlimits);
    validate_labels(process);
    validate_scheduling(process);
    if (process.exec_cpu_affinity) {
        validate_cpu_list("/process/execCPUAffinity/initial", process.exec_cpu_affinity->initial);
        validate_cpu_list("/process/execCPUAffinity/final", process.exec_cpu_affinity->final_);
    }
}

} // namespace coracle::spec
