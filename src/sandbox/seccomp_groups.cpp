#include "seccomp_groups_private.h"

#include "coracle/base/text.h"

#include <algorithm>
#include <array>
#include <iterator>

namespace coracle::sandbox {

namespace {

struct Group {
    std::string_view name;
    std::string_view summary;
    std::string_view members; ///< system calls and groups, a blank between two
};

/// Names and members are those of `systemd-analyze syscall-filter` (systemd 252.39), whose users
/// know them, and of Linux 6.5 to 6.18: cachestat, uprobe. @sandbox is systemd
/// 254's.
constexpr std::array<Group, 29> groups{{
    // clang-format off
    {"@aio", "asynchronous I/O",
     "io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit "
     "io_uring_enter io_uring_register io_uring_setup"},
    {"@basic-io", "basic I/O",
     "_llseek close close_range dup dup2 dup3 lseek pread64 preadv preadv2 pwrite64 pwritev "
     "pwritev2 read readv write writev"},
    {"@chown", "change ownership of files and directories",
     "chown chown32 fchown fchown32 fchownat lchown lchown32"},
    {"@clock", "change the system time",
     "adjtimex clock_adjtime clock_adjtime64 clock_settime clock_settime64 settimeofday"},
    {"@cpu-emulation", "system calls for CPU emulation functionality",
     "modify_ldt subpage_prot switch_endian vm86 vm86old"},
    {"@debug", "debugging, performance monitoring and tracing functionality",
     "lookup_dcookie perf_event_open pidfd_getfd ptrace rtas s390_runtime_instr "
     "sys_debug_setcontext"},
    {"@default", "system calls that are always permitted",
     "arch_prctl brk cacheflush clock_getres clock_getres_time64 clock_gettime clock_gettime64 "
     "clock_nanosleep clock_nanosleep_time64 execve exit exit_group futex futex_requeue "
     "futex_time64 futex_wait futex_waitv futex_wake get_robust_list get_thread_area getegid "
     "getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getpgid getpgrp getpid "
     "getppid getrandom getresgid getresgid32 getresuid getresuid32 getrlimit getsid gettid "
     "gettimeofday getuid getuid32 map_shadow_stack membarrier mmap mmap2 mprotect mseal "
     "munmap nanosleep pause prlimit64 restart_syscall riscv_flush_icache riscv_hwprobe rseq "
     "rt_sigreturn sched_getaffinity sched_yield set_robust_list set_thread_area "
     "set_tid_address set_tls sigreturn time ugetrlimit uprobe uretprobe"},
    {"@file-system", "file system operations",
     "access cachestat chdir chmod close creat faccessat faccessat2 fallocate fchdir fchmod "
     "fchmodat fchmodat2 fcntl fcntl64 fgetxattr file_getattr file_setattr flistxattr "
     "fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 ftruncate ftruncate64 "
     "futimesat getcwd getdents getdents64 getxattr getxattrat inotify_add_watch inotify_init "
     "inotify_init1 inotify_rm_watch lgetxattr link linkat listmount listxattr listxattrat "
     "llistxattr lremovexattr lsetxattr lstat lstat64 mkdir mkdirat mknod mknodat newfstatat "
     "oldfstat oldlstat oldstat open openat openat2 readlink readlinkat removexattr "
     "removexattrat rename renameat renameat2 rmdir setxattr setxattrat stat stat64 statfs "
     "statfs64 statmount statx symlink symlinkat truncate truncate64 unlink unlinkat utime "
     "utimensat utimensat_time64 utimes"},
    {"@io-event", "event loop system calls",
     "_newselect epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 "
     "epoll_wait epoll_wait_old eventfd eventfd2 poll ppoll ppoll_time64 pselect6 "
     "pselect6_time64 select"},
    {"@ipc", "SysV IPC, POSIX Message Queues or other IPC",
     "ipc memfd_create mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 "
     "mq_timedsend mq_timedsend_time64 mq_unlink msgctl msgget msgrcv msgsnd pipe pipe2 "
     "process_madvise process_vm_readv process_vm_writev semctl semget semop semtimedop "
     "semtimedop_time64 shmat shmctl shmdt shmget"},
    {"@keyring", "kernel keyring access",
     "add_key keyctl request_key"},
    {"@memlock", "memory locking control",
     "mlock mlock2 mlockall munlock munlockall"},
    {"@module", "loading and unloading of kernel modules",
     "delete_module finit_module init_module"},
    {"@mount", "mounting and unmounting of file systems",
     "chroot fsconfig fsmount fsopen fspick mount mount_setattr move_mount open_tree "
     "open_tree_attr pivot_root umount umount2"},
    {"@network-io", "network or unix socket io, should not be needed if not network facing",
     "accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom "
     "recvmmsg recvmmsg_time64 recvmsg send sendmmsg sendmsg sendto setsockopt shutdown socket "
     "socketcall socketpair"},
    {"@obsolete", "unusual, obsolete or unimplemented system calls",
     "_sysctl afs_syscall bdflush break create_module ftime get_kernel_syms getpmsg gtty idle "
     "lock mpx prof profil putpmsg query_module security sgetmask ssetmask stime stty sysfs "
     "tuxcall ulimit uselib ustat vserver"},
    {"@pkey", "system calls used for memory protection keys",
     "pkey_alloc pkey_free pkey_mprotect"},
    {"@privileged", "all system calls which need super-user capabilities",
     "@chown @clock @module @raw-io @reboot @swap _sysctl acct bpf capset chroot fanotify_init "
     "fanotify_mark nfsservctl open_by_handle_at pivot_root quotactl quotactl_fd setdomainname "
     "setfsuid setfsuid32 setgroups setgroups32 sethostname setresuid setresuid32 setreuid "
     "setreuid32 setuid setuid32 vhangup"},
    {"@process", "process control, execution, namespacing operations",
     "capget clone clone3 execveat fork getrusage kill pidfd_open pidfd_send_signal prctl "
     "process_mrelease rt_sigqueueinfo rt_tgsigqueueinfo setns swapcontext tgkill times tkill "
     "unshare vfork wait4 waitid waitpid"},
    {"@raw-io", "Raw I/O port access",
     "ioperm iopl pciconfig_iobase pciconfig_read pciconfig_write s390_pci_mmio_read "
     "s390_pci_mmio_write"},
    {"@reboot", "reboot and reboot preparation/kexec",
     "kexec_file_load kexec_load reboot"},
    {"@resources", "alter resource settings",
     "ioprio_set mbind migrate_pages move_pages nice sched_setaffinity sched_setattr "
     "sched_setparam sched_setscheduler set_mempolicy set_mempolicy_home_node setpriority "
     "setrlimit"},
    {"@sandbox", "restricting oneself",
     "landlock_add_rule landlock_create_ruleset landlock_restrict_self seccomp"},
    {"@setuid", "operations for changing user/group credentials",
     "setgid setgid32 setgroups setgroups32 setregid setregid32 setresgid setresgid32 "
     "setresuid setresuid32 setreuid setreuid32 setuid setuid32"},
    {"@signal", "process signal handling",
     "rt_sigaction rt_sigpending rt_sigprocmask rt_sigsuspend rt_sigtimedwait "
     "rt_sigtimedwait_time64 sigaction sigaltstack signal signalfd signalfd4 sigpending "
     "sigprocmask sigsuspend"},
    {"@swap", "enable/disable swap devices",
     "swapoff swapon"},
    {"@sync", "synchronize files and memory to storage",
     "fdatasync fsync msync sync sync_file_range sync_file_range2 syncfs"},
    {"@system-service", "general system service operations",
     "@aio @basic-io @chown @default @file-system @io-event @ipc @keyring @memlock @network-io "
     "@process @resources @setuid @signal @sync @timer arm_fadvise64_64 capget capset "
     "copy_file_range fadvise64 fadvise64_64 flock get_mempolicy getcpu getpriority ioctl "
     "ioprio_get kcmp lsm_get_self_attr lsm_list_modules lsm_set_self_attr madvise mremap "
     "name_to_handle_at oldolduname olduname personality readahead readdir remap_file_pages "
     "sched_get_priority_max sched_get_priority_min sched_getattr sched_getparam "
     "sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64 sched_yield "
     "sendfile sendfile64 setfsgid setfsgid32 setfsuid setfsuid32 setpgid setsid splice "
     "sysinfo tee umask uname userfaultfd vmsplice"},
    {"@timer", "schedule operations by time",
     "alarm getitimer setitimer timer_create timer_delete timer_getoverrun timer_gettime "
     "timer_gettime64 timer_settime timer_settime64 timerfd_create timerfd_gettime "
     "timerfd_gettime64 timerfd_settime timerfd_settime64 times"},
    // clang-format on
}};

/// In none of the groups.
constexpr std::string_view ungrouped =
    "arm_sync_file_range breakpoint cachectl get_tls memfd_secret mincore multiplexer "
    "s390_guarded_storage s390_sthyi spu_create spu_run syscall syslog sysmips timerfd usr26 "
    "usr32";

const Group* find_group(std::string_view name) {
    const auto* found = std::find_if(groups.begin(), groups.end(),
                                     [&](const Group& group) { return group.name == name; });
    return found == groups.end() ? nullptr : found;
}

void add_members(std::string_view members, std::vector<std::string_view>& calls) {
    for (std::string_view word : split(members, ' ')) {
        if (word.starts_with('@')) {
            add_members(find_group(word)->members, calls);
        } else {
            calls.push_back(word);
        }
    }
}

} // namespace

CallSet::CallSet(std::vector<std::string_view> names) : names_(std::move(names)) {
    std::sort(names_.begin(), names_.end());
    names_.erase(std::unique(names_.begin(), names_.end()), names_.end());
}

bool CallSet::has(std::string_view name) const noexcept {
    return std::binary_search(names_.begin(), names_.end(), name);
}

void CallSet::add(const CallSet& others) {
    std::vector<std::string_view> all;
    all.reserve(names_.size() + others.names_.size());
    std::set_union(names_.begin(), names_.end(), others.names_.begin(), others.names_.end(),
                   std::back_inserter(all));
    names_ = std::move(all);
}

void CallSet::remove(const CallSet& others) {
    std::vector<std::string_view> rest;
    rest.reserve(names_.size());
    std::set_difference(names_.begin(), names_.end(), others.names_.begin(), others.names_.end(),
                        std::back_inserter(rest));
    names_ = std::move(rest);
}

std::optional<CallSet> find_seccomp_group(std::string_view name) {
    const Group* found = find_group(name);
    if (found == nullptr) {
        return std::nullopt;
    }
    std::vector<std::string_view> calls;
    add_members(found->members, calls);
    return CallSet(std::move(calls));
}

std::vector<SeccompGroup> seccomp_groups() {
    std::vector<SeccompGroup> result;
    for (const Group& group : groups) {
        result.push_back({group.name, group.summary});
    }
    return result;
}

CallSet known_calls() {
    std::vector<std::string_view> calls;
    add_members(ungrouped, calls);
    for (const Group& group : groups) {
        // What is within another is in the list of that one.
        for (std::string_view word : split(group.members, ' ')) {
            if (!word.starts_with('@')) {
                calls.push_back(word);
            }
        }
    }
    return CallSet(std::move(calls));
}

} // namespace coracle::sandbox
