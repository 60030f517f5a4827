// Starts commands in turn and writes one line per timed run: name, nanoseconds, peak KiB, status.
// Static and small on purpose: a child's ru_maxrss never reads lower than its starter's own.
// Usage: timing_driver COUNT < LIST
// A line of LIST is MODE TAB NAME TAB ARG TAB ARG...; MODE is `timed` or `quiet` (run, not
// measured).
// "%i" in an argument becomes the number of the round. Every round runs all lines in order, so that
// the programs alternate; the first round warms up and is not written.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { max_commands = 128, max_arguments = 32 };

struct command {
    int timed;
    char* name;
    char* arguments[max_arguments + 1];
};

static struct command commands[max_commands];
static int command_count;

static void read_list(void) {
    char* line = NULL;
    size_t capacity = 0;
    while (getline(&line, &capacity, stdin) > 0 && command_count < max_commands) {
        line[strcspn(line, "\n")] = 0;
        char* rest = strdup(line);
        struct command* command = &commands[command_count];
        const char* mode = strsep(&rest, "\t");
        command->timed = strcmp(mode, "timed") == 0;
        command->name = strsep(&rest, "\t");
        for (int i = 0; rest && i < max_arguments; ++i)
            command->arguments[i] = strsep(&rest, "\t");
        if (command->name && command->arguments[0])
            ++command_count;
    }
    free(line);
}

// argument with each "%i" replaced by round; fresh memory only when there is one.
static char* expand(char* argument, int round) {
    char* mark = strstr(argument, "%i");
    if (!mark)
        return argument;
    char* text = malloc(strlen(argument) + 16);
    sprintf(text, "%.*s%d%s", (int)(mark - argument), argument, round, mark + 2);
    return text;
}

static long long now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

// What a runtime left behind (an init whose creator has gone) comes to us: end and reap it.
static void reap_others(void) {
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
}

static void run_once(const struct command* command, int round, int null_fd) {
    char* argv[max_arguments + 1];
    struct rusage usage;
    int status = 0;
    int i = 0;
    for (; command->arguments[i]; ++i)
        argv[i] = expand(command->arguments[i], round);
    argv[i] = NULL;
    long long start = now();
    pid_t pid = vfork();
    if (pid == 0) {
        dup2(null_fd, 0);
        dup2(null_fd, 1);
        dup2(null_fd, 2);
        execv(argv[0], argv);
        _exit(127);
    }
    while (wait4(pid, &status, 0, &usage) < 0 && errno == EINTR)
        ;
    long long taken = now() - start;
    if (command->timed && round > 0)
        printf("%s\t%lld\t%ld\t%d\n", command->name, taken, usage.ru_maxrss,
               WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    reap_others();
}

int main(int argc, char** argv) {
    int rounds = argc > 1 ? atoi(argv[1]) : 0;
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (rounds < 1 || null_fd < 0) {
        fputs("usage: timing_driver COUNT < LIST\n", stderr);
        return 64;
    }
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    read_list();
    for (int round = 0; round <= rounds; ++round)
        for (int i = 0; i < command_count; ++i)
            run_once(&commands[i], round, null_fd);
    return fflush(stdout) == 0 ? 0 : 74;
}
