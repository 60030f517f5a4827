/* coracle-guest: the container's program in the integration tests. One verb, plain answers on
   stdout. It is also run on the host by tests that need a fast helper (swap). */
#include "guest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char** environ;

void put(const char* text) {
    size_t left = strlen(text);
    while (left > 0) {
        ssize_t n = write(1, text, left);
        if (n <= 0)
            return;
        text += n;
        left -= (size_t)n;
    }
}

static int fail(const char* what) {
    fprintf(stderr, "guest: %s: %s\n", what, errno_name(errno));
    return 1;
}

static int verb_exit(int argc, char** argv) {
    return argc > 0 ? atoi(argv[0]) : 0;
}

static int verb_echo(int argc, char** argv) {
    for (int i = 0; i < argc; ++i)
        printf("%s%s", i ? " " : "", argv[i]);
    putchar('\n');
    return 0;
}

static int verb_err(int argc, char** argv) {
    for (int i = 0; i < argc; ++i)
        fprintf(stderr, "%s%s", i ? " " : "", argv[i]);
    fputc('\n', stderr);
    return 0;
}

static int verb_sleep(int argc, char** argv) {
    double seconds = argc > 0 ? atof(argv[0]) : 1e6;
    struct timespec left = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        ;
    return 0;
}

static int verb_signal_self(int argc, char** argv) {
    int number = argc > 0 ? atoi(argv[0]) : SIGTERM;
    signal(number, SIG_DFL);
    kill(getpid(), number);
    return 77; /* pid 1 of a namespace is not killed by its own signals */
}

/* A fault kills even pid 1 of a namespace. */
static int verb_crash(int argc, char** argv) {
    (void)argc, (void)argv;
    signal(SIGSEGV, SIG_DFL);
    int* volatile nowhere = NULL;
    *(volatile int*)nowhere = 1;
    return 77;
}

static void leave(int number) {
    (void)number;
    _exit(0);
}

static int verb_pause(int argc, char** argv) {
    (void)argc, (void)argv;
    signal(SIGTERM, leave);
    put("ready\n");
    for (;;)
        pause();
    return 0;
}

static int wanted_status;

static void caught(int number) {
    char text[] = "caught 00\n";
    text[7] = (char)('0' + number / 10);
    text[8] = (char)('0' + number % 10);
    put(text);
    _exit(wanted_status);
}

/* trap STATUS N...: says which of the signals came and exits with STATUS. */
static int verb_trap(int argc, char** argv) {
    wanted_status = argc > 0 ? atoi(argv[0]) : 0;
    for (int i = 1; i < argc; ++i)
        signal(atoi(argv[i]), caught);
    put("ready\n");
    for (;;)
        pause();
    return 0;
}

/* children N: N sleeping children in sessions of their own, then pause. */
static int verb_children(int argc, char** argv) {
    for (int i = argc > 0 ? atoi(argv[0]) : 1; i > 0; --i) {
        if (fork() == 0) {
            setsid();
            for (;;)
                pause();
        }
    }
    return verb_pause(0, NULL);
}

static int verb_cat(int argc, char** argv) {
    for (int i = 0; i < argc; ++i) {
        int fd = open(argv[i], O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            return fail(argv[i]);
        char buffer[65536];
        ssize_t n;
        while ((n = read(fd, buffer, sizeof buffer)) > 0)
            if (write(1, buffer, (size_t)n) != n)
                return fail("stdout");
        if (n < 0)
            return fail(argv[i]);
        close(fd);
    }
    return 0;
}

static int verb_write(int argc, char** argv) {
    if (argc < 2)
        return 64;
    int fd = open(argv[0], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        return fail(argv[0]);
    ssize_t length = (ssize_t)strlen(argv[1]);
    if (write(fd, argv[1], (size_t)length) != length)
        return fail(argv[0]);
    return close(fd) == 0 ? 0 : fail(argv[0]);
}

static int verb_write_fd(int argc, char** argv) {
    if (argc < 2)
        return 64;
    ssize_t length = (ssize_t)strlen(argv[1]);
    return write(atoi(argv[0]), argv[1], (size_t)length) == length ? 0 : fail(argv[0]);
}

static int verb_ls(int argc, char** argv) {
    DIR* dir = opendir(argc > 0 ? argv[0] : ".");
    if (!dir)
        return fail(argc > 0 ? argv[0] : ".");
    struct dirent* entry;
    while ((entry = readdir(dir)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            puts(entry->d_name);
    closedir(dir);
    return 0;
}

static int verb_touch(int argc, char** argv) {
    int fd = argc > 0 ? open(argv[0], O_WRONLY | O_CREAT | O_CLOEXEC, 0666) : -1;
    return fd < 0 ? fail("touch") : 0;
}

static int verb_realpath(int argc, char** argv) {
    char* path = realpath(argc > 0 ? argv[0] : ".", NULL);
    if (!path)
        return fail("realpath");
    puts(path);
    return 0;
}

static int run_verb(int argc, char** argv);

/* also VERB... -- VERB...: runs each in a child, one after the other; the last status counts. */
static int verb_also(int argc, char** argv) {
    int last = 0;
    for (int from = 0; from < argc;) {
        int to = from;
        while (to < argc && strcmp(argv[to], "--") != 0)
            ++to;
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            int status = run_verb(to - from, argv + from);
            fflush(stdout);
            _exit(status);
        }
        int status = 0;
        waitpid(child, &status, 0);
        last = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        from = to + 1;
    }
    return last;
}

static int verb_exec(int argc, char** argv) {
    if (argc < 1)
        return 64;
    argv[argc] = NULL;
    execve(argv[0], argv, environ);
    return fail(argv[0]);
}

static const struct {
    const char* name;
    int (*run)(int, char**);
} verbs[] = {
    {"facts", verb_facts},
    {"exit", verb_exit},
    {"echo", verb_echo},
    {"err", verb_err},
    {"sleep", verb_sleep},
    {"signal-self", verb_signal_self},
    {"crash", verb_crash},
    {"pause", verb_pause},
    {"trap", verb_trap},
    {"children", verb_children},
    {"cat", verb_cat},
    {"write", verb_write},
    {"write-fd", verb_write_fd},
    {"ls", verb_ls},
    {"touch", verb_touch},
    {"realpath", verb_realpath},
    {"also", verb_also},
    {"exec", verb_exec},
    {"stat", verb_stat},
    {"try-syscall", verb_try_syscall},
    {"try-syscall32", verb_try_syscall32},
    {"try-open", verb_try_open},
    {"try-mount", verb_try_mount},
    {"try-tty", verb_try_tty},
    {"swap", verb_swap},
    {"watch-links", verb_watch_links},
    {"find-writable", verb_find_writable},
    {"hold-user-namespace", verb_hold_user_namespace},
    {"enter", verb_enter},
    {"notify", verb_notify},
    {"try-file", verb_try_file},
    {"try-port", verb_try_port},
    {"try-abstract", verb_try_abstract},
    {"try-kill", verb_try_kill},
};

static int run_verb(int argc, char** argv) {
    for (size_t i = 0; argc > 0 && i < sizeof verbs / sizeof verbs[0]; ++i)
        if (strcmp(argv[0], verbs[i].name) == 0)
            return verbs[i].run(argc - 1, argv + 1);
    fprintf(stderr, "guest: no such verb: %s\n", argc > 0 ? argv[0] : "(none)");
    return 64;
}

int main(int argc, char** argv) {
    return run_verb(argc - 1, argv + 1);
}
