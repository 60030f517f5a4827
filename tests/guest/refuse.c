/* coracle-refuse REFUSAL... -- COMMAND...: runs a command on a kernel that seems older, or in an
   outer container that seems stricter, than it is. A refusal is one of
     ENOSYS:NAME or EPERM:NAME   a system call, by name or number
     linux-5.10                  what came after it, flags of older calls included
     docker-19.03                EPERM for what that release's default profile does not know
     one-thread                  core scheduling on cores of one thread: ENODEV
     core-scheduling             core scheduling that seems to be there
     own-cookies                 the same, but EPERM for the cookie of another process */
#include "../support/refusals.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    max_refusals = 96,
    memfd_noexec_seal_or_exec = 0x18, /* MFD_NOEXEC_SEAL, MFD_EXEC: Linux 6.3 */
    seal_exec = 0x20,                 /* F_SEAL_EXEC: Linux 6.3 */
    close_range_cloexec = 4,          /* Linux 5.11 */
    wait_killable = 1 << 5,           /* SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: Linux 5.19 */
    move_mount_set_group_or_beneath = 0x300, /* Linux 5.15, 6.5 */
    pidfd_ioctl = 0xff << 8,                 /* all of the type: Linux 6.9 */
    after_linux_5_10 = 441,                  /* epoll_pwait2: Linux 5.11 */
    after_docker_19_03 = 424,                /* pidfd_send_signal: Linux 5.1 */
    last_number = 0x3fffffff,                /* x32 begins above */
};

static const struct {
    const char* name;
    unsigned number;
} calls[] = {
    {"clone3", SYS_clone3},
    {"close_range", SYS_close_range},
    {"copy_file_range", SYS_copy_file_range},
    {"execveat", SYS_execveat},
    {"faccessat2", SYS_faccessat2},
    {"fsconfig", SYS_fsconfig},
    {"fsmount", SYS_fsmount},
    {"fsopen", SYS_fsopen},
    {"fspick", SYS_fspick},
    {"keyctl", SYS_keyctl},
    {"landlock_add_rule", SYS_landlock_add_rule},
    {"landlock_create_ruleset", SYS_landlock_create_ruleset},
    {"landlock_restrict_self", SYS_landlock_restrict_self},
    {"memfd_create", SYS_memfd_create},
    {"mount", SYS_mount},
    {"mount_setattr", SYS_mount_setattr},
    {"move_mount", SYS_move_mount},
    {"open_tree", SYS_open_tree},
    {"openat2", SYS_openat2},
    {"pidfd_getfd", SYS_pidfd_getfd},
    {"pidfd_open", SYS_pidfd_open},
    {"pidfd_send_signal", SYS_pidfd_send_signal},
    {"pivot_root", SYS_pivot_root},
    {"renameat2", SYS_renameat2},
    {"seccomp", SYS_seccomp},
    {"sendfile", SYS_sendfile},
    {"statx", SYS_statx},
    {"umount2", SYS_umount2},
    {"unshare", SYS_unshare},
};

static struct refusal refusals[max_refusals];
static size_t refusal_count;

static void add(struct refusal refusal) {
    if (refusal_count < max_refusals)
        refusals[refusal_count++] = refusal;
}

/* Those calls whose argument is exactly `value`. */
static struct refusal refuse_value(unsigned number, int argument, unsigned value, int error) {
    struct refusal refusal = refuse_call(number, error);
    refusal.where[0].argument = argument;
    refusal.where[0].mask = 0xffffffffU;
    refusal.where[0].value = value;
    return refusal;
}

static void add_linux_5_10(void) {
    struct refusal later = refuse_call(after_linux_5_10, ENOSYS);
    later.last = last_number;
    add(later);
    add(refuse_flags(SYS_close_range, 2, close_range_cloexec, EINVAL));
    add(refuse_flags(SYS_memfd_create, 1, memfd_noexec_seal_or_exec, EINVAL));
    add(refuse_flags(SYS_move_mount, 4, move_mount_set_group_or_beneath, EINVAL));
    struct refusal seals = refuse_value(SYS_fcntl, 1, F_ADD_SEALS, EINVAL);
    seals.where[1].argument = 2;
    seals.where[1].mask = seal_exec;
    add(seals);
    struct refusal killable = refuse_value(SYS_seccomp, 0, SECCOMP_SET_MODE_FILTER, EINVAL);
    killable.where[1].argument = 1;
    killable.where[1].mask = wait_killable;
    add(killable);
    struct refusal ioctls = refuse_value(SYS_ioctl, 1, pidfd_ioctl, ENOTTY);
    ioctls.where[0].mask = 0xff << 8;
    add(ioctls);
}

static void add_docker_19_03(void) {
    struct refusal later = refuse_call(after_docker_19_03, EPERM);
    later.last = last_number;
    add(later);
}

/* PR_SCHED_CORE; error 0: nothing is done, and that is a success. */
static void add_core_scheduling(int share_error, int error) {
    struct refusal share = refuse_value(SYS_prctl, 0, PR_SCHED_CORE, share_error);
    share.where[1].argument = 1;
    share.where[1].mask = 0xffffffffU;
    share.where[1].value = PR_SCHED_CORE_SHARE_FROM;
    add(share);
    add(refuse_value(SYS_prctl, 0, PR_SCHED_CORE, error));
}

static int add_named(const char* text) {
    int error = strncmp(text, "ENOSYS:", 7) == 0  ? ENOSYS
                : strncmp(text, "EPERM:", 6) == 0 ? EPERM
                                                  : 0;
    const char* name = error == ENOSYS ? text + 7 : text + 6;
    if (error == 0)
        return 0;
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; ++i) {
        if (strcmp(name, calls[i].name) == 0) {
            add(refuse_call(calls[i].number, error));
            return 1;
        }
    }
    char* end = NULL;
    unsigned long number = strtoul(name, &end, 10);
    if (end == name || *end != '\0')
        return 0;
    add(refuse_call((unsigned)number, error));
    return 1;
}

int main(int argc, char** argv) {
    int at = 1;
    for (; at < argc && strcmp(argv[at], "--") != 0; ++at) {
        if (strcmp(argv[at], "linux-5.10") == 0)
            add_linux_5_10();
        else if (strcmp(argv[at], "docker-19.03") == 0)
            add_docker_19_03();
        else if (strcmp(argv[at], "one-thread") == 0)
            add_core_scheduling(ENODEV, ENODEV);
        else if (strcmp(argv[at], "core-scheduling") == 0)
            add_core_scheduling(0, 0);
        else if (strcmp(argv[at], "own-cookies") == 0)
            add_core_scheduling(EPERM, 0);
        else if (!add_named(argv[at])) {
            fprintf(stderr, "coracle-refuse: unknown refusal: %s\n", argv[at]);
            return 64;
        }
    }
    if (at + 1 >= argc) {
        fputs("usage: coracle-refuse REFUSAL... -- COMMAND...\n", stderr);
        return 64;
    }
    int error = install_refusals(refusals, refusal_count);
    if (error != 0) {
        fprintf(stderr, "coracle-refuse: seccomp: %s\n", strerror(error));
        return 70;
    }
    execvp(argv[at + 1], argv + at + 1);
    fprintf(stderr, "coracle-refuse: %s: %s\n", argv[at + 1], strerror(errno));
    return 71;
}
