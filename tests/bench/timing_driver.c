// Starts commands in turn and writes one line per timed run: name, nanoseconds, peak KiB, status.
// Static and small on purpose: a child's ru_maxrss never reads lower than its starter's own.
// Usage: timing_driver COUNT < LIST
// A line of LIST is MODE TAB NAME TAB ARG TAB ARG...; MODE is `timed`, `quiet` (run, not measured),
// or a number of runs that are started at once: written is the time from the first start to the
// last end, divided by that number.
// "%i" in an argument becomes the number of the round, of several at once ROUNDxNUMBER. Every round
// runs all lines in order, so that the programs alternate; the first round warms up and is not
// written.
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

enum { max_commands = 128, max_arguments = 32, max_at_once = 256 };

struct command {
    int timed;
    int at_once;
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
        command->at_once = atoi(mode);
        if (command->at_once > max_at_once)
            command->at_once = max_at_once;
        command->timed = command->at_once > 0 || strcmp(mode, "timed") == 0;
        command->name = strsep(&rest, "\t");
        for (int i = 0; rest && i < max_arguments; ++i)
            command->arguments[i] = strsep(&rest, "\t");
        if (command->name && command->arguments[0])
            ++command_count;
    }
    free(line);
}

// argument with its "%i" replaced by `number`; fresh memory only when there is one.
static char* expand(char* argument, const char* number) {
    char* mark = strstr(argument, "%i");
    if (!mark)
        return argument;
    char* text = malloc(strlen(argument) + strlen(number) + 1);
    sprintf(text, "%.*s%s%s", (int)(mark - argument), argument, number, mark + 2);
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

static pid_t execute(char** argv, int null_fd) {
    pid_t pid = vfork();
    if (pid == 0) {
        dup2(null_fd, 0);
        dup2(null_fd, 1);
        dup2(null_fd, 2);
        execv(argv[0], argv);
        _exit(127);
    }
    return pid;
}

static pid_t start(const struct command* command, const char* number, int null_fd) {
    char* argv[max_arguments + 1];
    int count = 0;
    for (; command->arguments[count]; ++count)
        argv[count] = expand(command->arguments[count], number);
    argv[count] = NULL;
    pid_t pid = execute(argv, null_fd);
    for (int i = 0; i < count; ++i)
        if (argv[i] != command->arguments[i])
            free(argv[i]);
    return pid;
}

static int exit_code(int status) {
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void run_once(const struct command* command, int round, int null_fd) {
    pid_t started[max_at_once];
    struct rusage usage;
    char number[32];
    int total = command->at_once > 0 ? command->at_once : 1;
    int worst = 0;
    long peak = 0;
    long long begin = now();
    for (int i = 0; i < total; ++i) {
        sprintf(number, command->at_once > 0 ? "%dx%d" : "%d", round, i);
        started[i] = start(command, number, null_fd);
    }
    for (int i = 0; i < total; ++i) {
        int status = 0;
        while (wait4(started[i], &status, 0, &usage) < 0 && errno == EINTR)
            ;
        if (exit_code(status) != 0)
            worst = exit_code(status);
        if (usage.ru_maxrss > peak)
            peak = usage.ru_maxrss;
    }
    long long taken = (now() - begin) / total;
    if (command->timed && round > 0)
        printf("%s\t%lld\t%ld\t%d\n", command->name, taken, peak, worst);
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
