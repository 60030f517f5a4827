/* Verbs that try things which may be refused, and say with which errno. */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#ifndef RENAME_EXCHANGE
#define RENAME_EXCHANGE 2
#endif

const char* errno_name(int number) {
    const char* name = number == 0 ? "0" : strerrorname_np(number);
    return name ? name : "unknown";
}

/* One line of JSON for each path; the link itself, not what it names. */
int verb_stat(int argc, char** argv) {
    for (int i = 0; i < argc; ++i) {
        struct stat found;
        fputs("{\"path\":", stdout);
        print_json_string(argv[i]);
        if (lstat(argv[i], &found) != 0) {
            printf(",\"error\":\"%s\"}\n", errno_name(errno));
            continue;
        }
        const char* type = S_ISREG(found.st_mode)    ? "file"
                           : S_ISDIR(found.st_mode)  ? "dir"
                           : S_ISLNK(found.st_mode)  ? "symlink"
                           : S_ISCHR(found.st_mode)  ? "char"
                           : S_ISBLK(found.st_mode)  ? "block"
                           : S_ISFIFO(found.st_mode) ? "fifo"
                                                     : "socket";
        printf(",\"type\":\"%s\",\"mode\":%u,\"uid\":%u,\"gid\":%u,\"size\":%lld,"
               "\"rdev\":[%u,%u],\"dev\":%llu,\"ino\":%llu,\"target\":",
               type, found.st_mode & 07777U, found.st_uid, found.st_gid, (long long)found.st_size,
               major(found.st_rdev), minor(found.st_rdev), (unsigned long long)found.st_dev,
               (unsigned long long)found.st_ino);
        char target[4096];
        ssize_t length = readlink(argv[i], target, sizeof target - 1);
        target[length > 0 ? length : 0] = '\0';
        print_json_string(target);
        puts("}");
    }
    return 0;
}

static const struct {
    const char* name;
    long number;
} syscalls[] = {
    {"getpid", SYS_getpid},
    {"getppid", SYS_getppid},
    {"kill", SYS_kill},
    {"mount", SYS_mount},
    {"umount2", SYS_umount2},
    {"unshare", SYS_unshare},
    {"setns", SYS_setns},
    {"pivot_root", SYS_pivot_root},
    {"ptrace", SYS_ptrace},
    {"keyctl", SYS_keyctl},
    {"bpf", SYS_bpf},
    {"reboot", SYS_reboot},
    {"socket", SYS_socket},
    {"personality", SYS_personality},
    {"sethostname", SYS_sethostname},
    {"fchmod", SYS_fchmod},
    {"dup3", SYS_dup3},
    {"setgroups", SYS_setgroups},
    {"sync", SYS_sync},
    {"getcpu", SYS_getcpu},
};

static long syscall_number(const char* name) {
    for (size_t i = 0; i < sizeof syscalls / sizeof syscalls[0]; ++i)
        if (strcmp(name, syscalls[i].name) == 0)
            return syscalls[i].number;
    char* end = NULL;
    long number = strtol(name, &end, 0);
    return *name && !*end ? number : -1;
}

/* try-syscall NAME|NUMBER [ARGUMENT...]: arguments not given are -1, so nothing is done. */
int verb_try_syscall(int argc, char** argv) {
    long number = argc > 0 ? syscall_number(argv[0]) : -1;
    if (number < 0) {
        fprintf(stderr, "guest: try-syscall: not in the table: %s\n", argc > 0 ? argv[0] : "");
        return 64;
    }
    long a[6] = {-1, -1, -1, -1, -1, -1};
    for (int i = 1; i < argc && i <= 6; ++i)
        a[i - 1] = strtol(argv[i], NULL, 0);
    errno = 0;
    long answer = syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    puts(answer < 0 ? errno_name(errno) : "ok");
    return 0;
}

/* The same by the 32-bit entry of x86-64: a filter without that architecture does not see it. */
int verb_try_syscall32(int argc, char** argv) {
#ifdef __x86_64__
    long number = argc > 0 ? atol(argv[0]) : -1;
    long a1 = argc > 1 ? strtol(argv[1], NULL, 0) : -1;
    long a2 = argc > 2 ? strtol(argv[2], NULL, 0) : -1;
    long answer;
    __asm__ volatile("int $0x80"
                     : "=a"(answer)
                     : "a"(number), "b"(a1), "c"(a2), "d"(-1L)
                     : "memory", "r8", "r9", "r10", "r11");
    int code = (int)answer;
    puts(code < 0 && code > -4096 ? errno_name(-code) : "ok");
    return 0;
#else
    (void)argc, (void)argv;
    puts("machine: no 32-bit entry");
    return 0;
#endif
}

/* try-open r|w|rw PATH... */
int verb_try_open(int argc, char** argv) {
    if (argc < 2)
        return 64;
    int how = strcmp(argv[0], "r") == 0 ? O_RDONLY : strcmp(argv[0], "w") == 0 ? O_WRONLY : O_RDWR;
    for (int i = 1; i < argc; ++i) {
        int fd = open(argv[i], how | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        printf("%s %s\n", argv[i], fd < 0 ? errno_name(errno) : "ok");
        if (fd >= 0)
            close(fd);
    }
    return 0;
}

/* try-mount SOURCE TARGET TYPE FLAGS */
int verb_try_mount(int argc, char** argv) {
    if (argc < 4)
        return 64;
    int answer = mount(argv[0], argv[1], argv[2], strtoul(argv[3], NULL, 0), NULL);
    puts(answer < 0 ? errno_name(errno) : "ok");
    return 0;
}

/* Pushes a byte into the terminal of the caller, which must not be reachable. */
int verb_try_tty(int argc, char** argv) {
    (void)argc, (void)argv;
    char byte = '#';
    for (int fd = 0; fd < 3; ++fd)
        printf("TIOCSTI %d %s\n", fd, ioctl(fd, TIOCSTI, &byte) < 0 ? errno_name(errno) : "ok");
    for (int fd = 0; fd < 3; ++fd)
        printf("TIOCSCTTY %d %s\n", fd, ioctl(fd, TIOCSCTTY, 0) < 0 ? errno_name(errno) : "ok");
    int fd = open("/dev/tty", O_RDWR | O_CLOEXEC);
    printf("/dev/tty %s\n", fd < 0 ? errno_name(errno) : "ok");
    return 0;
}

/* swap A B [MICROSECONDS]: exchanges the two names until killed. */
int verb_swap(int argc, char** argv) {
    if (argc < 2)
        return 64;
    useconds_t rest = argc > 2 ? (useconds_t)atoi(argv[2]) : 0;
    put("ready\n");
    for (;;) {
        if (syscall(SYS_renameat2, AT_FDCWD, argv[0], AT_FDCWD, argv[1], RENAME_EXCHANGE) != 0 &&
            errno != ENOENT)
            return 1;
        if (rest > 0)
            usleep(rest);
    }
}
