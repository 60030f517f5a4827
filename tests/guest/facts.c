/* facts: what the container's program sees of itself, as one JSON line. Text that the kernel
   writes (status, mountinfo, limits) is passed on as it is, for the tests to read. */
#include "guest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

extern char** environ;

void print_json_string(const char* text) {
    putchar('"');
    for (; *text; ++text) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            printf("\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            printf("\\u%04x", c);
        else
            putchar(c);
    }
    putchar('"');
}

static void print_key(const char* key) {
    printf(",\"%s\":", key);
}

static void print_text(const char* key, const char* text) {
    print_key(key);
    if (text)
        print_json_string(text);
    else
        fputs("null", stdout);
}

static void print_number(const char* key, long long value) {
    print_key(key);
    printf("%lld", value);
}

static void print_strings(const char* key, char** strings) {
    print_key(key);
    putchar('[');
    for (int i = 0; strings[i]; ++i) {
        if (i)
            putchar(',');
        print_json_string(strings[i]);
    }
    putchar(']');
}

static void print_file(const char* key, const char* path) {
    static char buffer[1 << 18];
    size_t length = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        print_text(key, NULL);
        return;
    }
    ssize_t n;
    while (length < sizeof buffer - 1 &&
           (n = read(fd, buffer + length, sizeof buffer - 1 - length)) > 0)
        length += (size_t)n;
    close(fd);
    buffer[length] = '\0';
    print_text(key, buffer);
}

/* "keyring;UID;GID;PERM;NAME" of the session keyring; the name tells whose it is. */
static void print_session_keyring(void) {
    enum { describe = 6, session = -3 }; /* linux/keyctl.h */
    char text[256] = "";
    if (syscall(SYS_keyctl, describe, session, text, sizeof text - 1) < 0)
        snprintf(text, sizeof text, "error: %s", errno_name(errno));
    print_text("session_keyring", text);
}

static void print_ids(void) {
    uid_t uids[3];
    gid_t gids[3];
    getresuid(&uids[0], &uids[1], &uids[2]);
    getresgid(&gids[0], &gids[1], &gids[2]);
    printf("{\"uids\":[%u,%u,%u],\"gids\":[%u,%u,%u]", uids[0], uids[1], uids[2], gids[0], gids[1],
           gids[2]);
    print_key("groups");
    gid_t groups[1024];
    int count = getgroups(1024, groups);
    putchar('[');
    for (int i = 0; i < count; ++i)
        printf("%s%u", i ? "," : "", groups[i]);
    putchar(']');
    print_number("pid", getpid());
    print_number("ppid", getppid());
    print_number("sid", getsid(0));
    print_number("pgid", getpgrp());
}

/* Asks by fcntl as well as by /proc, which may be missing or not the real one. */
static void print_fds(void) {
    print_key("fds");
    putchar('{');
    int first = 1;
    for (int fd = 0; fd < 65536; ++fd) {
        int flags = fcntl(fd, F_GETFD);
        if (flags < 0)
            continue;
        char path[64];
        char target[4096];
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        ssize_t length = readlink(path, target, sizeof target - 1);
        target[length > 0 ? length : 0] = '\0';
        printf("%s\"%d\":", first ? "" : ",", fd);
        print_json_string(target);
        first = 0;
    }
    putchar('}');
}

static void print_namespaces(void) {
    static const char* const kinds[] = {"cgroup", "ipc",  "mnt",  "net",
                                        "pid",    "time", "user", "uts"};
    print_key("ns");
    putchar('{');
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; ++i) {
        char path[64];
        char target[64] = "";
        snprintf(path, sizeof path, "/proc/self/ns/%s", kinds[i]);
        ssize_t length = readlink(path, target, sizeof target - 1);
        target[length > 0 ? length : 0] = '\0';
        printf("%s\"%s\":", i ? "," : "", kinds[i]);
        print_json_string(target);
    }
    putchar('}');
}

static void print_rlimits(void) {
    static const struct {
        const char* name;
        int resource;
    } limits[] = {
        {"AS", RLIMIT_AS},
        {"CORE", RLIMIT_CORE},
        {"CPU", RLIMIT_CPU},
        {"DATA", RLIMIT_DATA},
        {"FSIZE", RLIMIT_FSIZE},
        {"LOCKS", RLIMIT_LOCKS},
        {"MEMLOCK", RLIMIT_MEMLOCK},
        {"MSGQUEUE", RLIMIT_MSGQUEUE},
        {"NICE", RLIMIT_NICE},
        {"NOFILE", RLIMIT_NOFILE},
        {"NPROC", RLIMIT_NPROC},
        {"RSS", RLIMIT_RSS},
        {"RTPRIO", RLIMIT_RTPRIO},
        {"RTTIME", RLIMIT_RTTIME},
        {"SIGPENDING", RLIMIT_SIGPENDING},
        {"STACK", RLIMIT_STACK},
    };
    print_key("rlimits");
    putchar('{');
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; ++i) {
        struct rlimit value = {0, 0};
        getrlimit(limits[i].resource, &value);
        printf("%s\"%s\":[%lld,%lld]", i ? "," : "", limits[i].name, (long long)value.rlim_cur,
               (long long)value.rlim_max);
    }
    putchar('}');
}

static void print_signals(void) {
    print_key("ignored_signals");
    putchar('[');
    int first = 1;
    for (int number = 1; number < 65; ++number) {
        struct sigaction action;
        if (sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN) {
            printf("%s%d", first ? "" : ",", number);
            first = 0;
        }
    }
    putchar(']');
    print_key("blocked_signals");
    putchar('[');
    first = 1;
    sigset_t mask;
    sigprocmask(SIG_BLOCK, NULL, &mask);
    for (int number = 1; number < 65; ++number)
        if (sigismember(&mask, number) == 1) {
            printf("%s%d", first ? "" : ",", number);
            first = 0;
        }
    putchar(']');
}

static void print_loopback(void) {
    struct ifreq request;
    memset(&request, 0, sizeof request);
    strcpy(request.ifr_name, "lo");
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int answer = fd < 0 ? -1 : ioctl(fd, SIOCGIFFLAGS, &request);
    print_key("lo_up");
    fputs(answer == 0 && (request.ifr_flags & IFF_UP) ? "true" : "false", stdout);
    if (fd >= 0)
        close(fd);
    print_key("interfaces");
    struct if_nameindex* all = if_nameindex();
    putchar('[');
    for (int i = 0; all && all[i].if_index != 0; ++i) {
        if (i)
            putchar(',');
        print_json_string(all[i].if_name);
    }
    putchar(']');
}

static void print_terminal(void) {
    int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    print_text("dev_tty", fd < 0 ? errno_name(errno) : "open");
    if (fd >= 0)
        close(fd);
    print_key("stdin_is_tty");
    fputs(isatty(0) ? "true" : "false", stdout);
    struct winsize size = {0, 0, 0, 0};
    ioctl(0, TIOCGWINSZ, &size);
    print_key("winsize");
    printf("[%u,%u]", size.ws_row, size.ws_col);
}

/* Of struct sched_attr, which no header of the C library has. */
struct scheduler {
    unsigned size, policy;
    unsigned long long flags;
    int nice;
    unsigned priority;
    unsigned long long runtime, deadline, period;
};

static void print_scheduling(void) {
    struct scheduler now;
    memset(&now, 0, sizeof now);
    syscall(SYS_sched_getattr, 0, &now, sizeof now, 0);
    print_key("scheduler");
    printf("[%u,%llu,%d,%u,%llu,%llu,%llu]", now.policy, now.flags, now.nice, now.priority,
           now.runtime, now.deadline, now.period);
    print_number("io_priority", syscall(SYS_ioprio_get, 1, 0));
    print_number("personality", syscall(SYS_personality, 0xffffffffUL));
    int mode = -1;
    unsigned long long nodes[17] = {0};
    syscall(SYS_get_mempolicy, &mode, nodes, sizeof nodes * 8, NULL, 0);
    print_key("memory_policy");
    printf("[%d,%llu]", mode, nodes[0]);
}

int verb_facts(int argc, char** argv) {
    (void)argc, (void)argv;
    struct utsname names;
    uname(&names);
    mode_t mask = umask(0);
    umask(mask);
    static char cwd[8192];
    if (syscall(SYS_getcwd, cwd, sizeof cwd) < 0)
        snprintf(cwd, sizeof cwd, "error: %s", errno_name(errno));
    print_ids();
    print_fds();
    print_text("hostname", names.nodename);
    print_text("domainname", names.domainname);
    print_text("cwd", cwd);
    print_strings("env", environ);
    print_strings("args", argv - 2); /* from argv[0] of the program */
    print_number("no_new_privs", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    print_number("dumpable", prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
    int death_signal = 0;
    prctl(PR_GET_PDEATHSIG, &death_signal);
    print_number("pdeathsig", death_signal);
    print_number("securebits", prctl(PR_GET_SECUREBITS, 0, 0, 0, 0));
    print_number("keepcaps", prctl(PR_GET_KEEPCAPS, 0, 0, 0, 0));
    print_number("umask", mask);
    print_text("machine", names.machine);
    print_scheduling();
    print_number("nice", getpriority(PRIO_PROCESS, 0));
    print_rlimits();
    print_namespaces();
    print_loopback();
    print_signals();
    print_terminal();
    print_file("status", "/proc/self/status");
    print_file("stat", "/proc/self/stat");
    print_file("mountinfo", "/proc/self/mountinfo");
    print_file("cgroup", "/proc/self/cgroup");
    print_file("oom_score_adj", "/proc/self/oom_score_adj");
    print_file("uid_map", "/proc/self/uid_map");
    print_file("gid_map", "/proc/self/gid_map");
    print_file("setgroups", "/proc/self/setgroups");
    print_file("comm", "/proc/self/comm");
    print_file("port_start", "/proc/sys/net/ipv4/ip_unprivileged_port_start");
    print_session_keyring();
    puts("}");
    return 0;
}
