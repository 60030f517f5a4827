// Shared by the floor programs: raw system calls that glibc 2.36 does not wrap, and one way to
// fail.
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

// No stdio: it would make the small ELF larger and change what is measured.
static void say(const char* text) {
    (void)!write(2, text, strlen(text));
}

__attribute__((noreturn, unused)) static void fail(const char* what) {
    const char* why = strerrordesc_np(errno);
    say(what);
    say(": ");
    say(why ? why : "unknown error");
    say("\n");
    _exit(70);
}

// Returns value, or ends the process naming the step when it is negative.
__attribute__((unused)) static long need(long value, const char* what) {
    if (value < 0)
        fail(what);
    return value;
}

__attribute__((unused)) static pid_t clone3_role(uint64_t flags, uint64_t exit_signal) {
    struct clone_args args = {.flags = flags, .exit_signal = exit_signal};
    return (pid_t)syscall(SYS_clone3, &args, sizeof args);
}

__attribute__((unused)) static int open_in_root(int root, const char* path, uint64_t flags) {
    struct open_how how = {.flags = flags | O_CLOEXEC,
                           .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    return (int)syscall(SYS_openat2, root, path, &how, sizeof how);
}

__attribute__((unused)) static void write_file(const char* path, const char* text) {
    int fd = (int)need(open(path, O_WRONLY | O_CLOEXEC), path);
    need(write(fd, text, strlen(text)), path);
    close(fd);
}

// The name that coracle gives its process at the same stage, where the floor is traced.
__attribute__((unused)) static void enter_stage(const char* name) {
#ifdef FLOOR_STAGES
    (void)prctl(PR_SET_NAME, name);
#else
    (void)name;
#endif
}

// "INSIDE OUTSIDE 1" without stdio.
__attribute__((unused)) static const char* single_map(char* buffer, unsigned outside) {
    char digits[12];
    int count = 0;
    do {
        digits[count++] = (char)('0' + outside % 10);
        outside /= 10;
    } while (outside);
    char* end = buffer;
    *end++ = '0';
    *end++ = ' ';
    while (count)
        *end++ = digits[--count];
    memcpy(end, " 1", 3);
    return buffer;
}
