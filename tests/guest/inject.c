/* coracle-inject: runs a program and kills one of its processes before one system call, or lets
   that call fail.

   inject count FILE [PID] -- PROGRAM...      writes "ROLE INDEX NUMBER" for each system call, and
                                              "ROLE exec PATH" for each execve
   inject kill:ROLE INDEX [PID] -- PROGRAM... SIGKILL to process ROLE at entry to call INDEX
   inject ERRNO:ROLE INDEX [PID] -- PROGRAM...
                                              that call is not made and fails with the errno, a
                                              number; ERRNO+: and so do all later calls of its kind

   ROLE counts the processes in the order of their appearance: 0 is PROGRAM; with PID, 1 is that
   process, which is traced too. Exits as PROGRAM does and lets all other processes go on; so it
   does with one that executes .../guest, the payload. Says "inject: done: NUMBER" on stderr when it
   has come to the call.
   strace's inject counts per process but cannot name one, so a kill there hits several. */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/ptrace.h>

enum { most_roles = 4096 };

static struct {
    pid_t pid;
    long calls;
    int counting;
    int failing; /* between the entry to a call that is not made and its exit */
} roles[most_roles];
static int role_count;
static FILE* record;
static int chosen_role = -1;
static long chosen_index = -1;
static int failure; /* the errno; 0 kills */
static int repeats; /* later calls of that kind fail too */
static long failing_number = -1;

static const unsigned long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK |
                                     PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC;

static int die(const char* what) {
    fprintf(stderr, "inject: %s: %s\n", what, strerror(errno));
    exit(125);
}

static int role_of(pid_t pid) {
    for (int i = 0; i < role_count; ++i)
        if (roles[i].pid == pid)
            return i;
    if (role_count == most_roles) {
        errno = ENOSPC;
        die("processes");
    }
    roles[role_count].pid = pid;
    roles[role_count].calls = 0;
    roles[role_count].failing = 0;
    roles[role_count].counting = role_count > 0;
    return role_count++;
}

static void go_on(pid_t pid, int number) {
    ptrace(PTRACE_SYSCALL, pid, 0, (long)number);
}

/* x86-64: PTRACE_SET_SYSCALL_INFO, which would serve every machine, is from Linux 6.16. */
static void set_register(pid_t pid, size_t place, long value) {
    if (ptrace(PTRACE_POKEUSER, pid, place, value) != 0)
        die("change a call");
}

static void at_system_call(pid_t pid, int role) {
    struct ptrace_syscall_info info;
    long size = ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info);
    if (size > 0 && info.op == PTRACE_SYSCALL_INFO_EXIT && roles[role].failing) {
        roles[role].failing = 0;
        set_register(pid, offsetof(struct user, regs.rax), -failure);
    }
    if (size <= 0 || info.op != PTRACE_SYSCALL_INFO_ENTRY || !roles[role].counting)
        return;
    long index = ++roles[role].calls;
    long number = (long)info.entry.nr;
    if (record)
        fprintf(record, "%d %ld %ld\n", role, index, number);
    if (role != chosen_role || (index != chosen_index && number != failing_number))
        return;
    if (index == chosen_index)
        fprintf(stderr, "inject: done: %ld\n", number);
    if (failure == 0) {
        kill(pid, SIGKILL);
        return;
    }
    failing_number = repeats ? number : -1;
    roles[role].failing = 1;
    if (number != SYS_close) /* which closes, whatever it answers: close(2) */
        set_register(pid, offsetof(struct user, regs.orig_rax), -1); /* no such call: not made */
}

/* Whether the process is still of interest. */
static int at_exec(pid_t pid, int role) {
    roles[role].counting = 1;
    char path[4096];
    char link[64];
    snprintf(link, sizeof link, "/proc/%d/exe", pid);
    ssize_t length = readlink(link, path, sizeof path - 1);
    path[length > 0 ? length : 0] = '\0';
    if (record)
        fprintf(record, "%d exec %s\n", role, path);
    const char* name = strrchr(path, '/');
    return !name || strcmp(name, "/guest") != 0;
}

/* Stops a process that waits or runs, so that its system calls can be seen from here on. */
static void attach(pid_t pid) {
    if (ptrace(PTRACE_SEIZE, pid, 0, options) != 0 || ptrace(PTRACE_INTERRUPT, pid, 0, 0) != 0)
        die("attach");
    int status = 0;
    if (waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status))
        die("attach: wait");
    role_of(pid);
    go_on(pid, 0);
}

static pid_t start(char** argv) {
    int gate[2];
    if (pipe(gate) != 0)
        die("pipe");
    pid_t child = fork();
    if (child == 0) {
        char byte;
        close(gate[1]);
        if (read(gate[0], &byte, 1) != 1)
            _exit(125);
        close(gate[0]);
        execvp(argv[0], argv);
        _exit(errno == ENOENT ? 127 : 126);
    }
    if (child < 0)
        die("fork");
    close(gate[0]);
    attach(child);
    if (write(gate[1], "x", 1) != 1)
        die("gate");
    close(gate[1]);
    return child;
}

static int follow(pid_t child) {
    for (;;) {
        int status = 0;
        pid_t pid = waitpid(-1, &status, __WALL);
        if (pid < 0)
            die("wait");
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            if (pid == child)
                return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
            continue;
        }
        int role = role_of(pid);
        int event = status >> 16;
        int number = WSTOPSIG(status);
        if (number == (SIGTRAP | 0x80)) {
            at_system_call(pid, role);
            go_on(pid, 0);
        } else if (event == PTRACE_EVENT_STOP && number != SIGTRAP) {
            ptrace(PTRACE_LISTEN, pid, 0, 0); /* stopped by a signal: it stays so */
        } else {
            if (event == PTRACE_EVENT_EXEC && !at_exec(pid, role))
                ptrace(PTRACE_DETACH, pid, 0, 0);
            else
                go_on(pid, event ? 0 : number);
        }
    }
}

int main(int argc, char** argv) {
    if (argc < 5) {
        fprintf(stderr, "usage: inject (count FILE | WHAT:ROLE INDEX) [PID] -- PROGRAM...\n");
        return 125;
    }
    if (strcmp(argv[1], "count") == 0) {
        record = fopen(argv[2], "we");
        if (!record)
            die(argv[2]);
    } else {
        const char* colon = strchr(argv[1], ':');
        if (!colon) {
            errno = EINVAL;
            die(argv[1]);
        }
        failure = atoi(argv[1]); /* "kill" is 0 */
        repeats = colon > argv[1] && colon[-1] == '+';
        chosen_role = atoi(colon + 1);
        chosen_index = atol(argv[2]);
    }
    int next = 3;
    pid_t other = strcmp(argv[next], "--") == 0 ? 0 : (pid_t)atoi(argv[next++]);
    if (strcmp(argv[next], "--") != 0 || next + 1 >= argc) {
        fprintf(stderr, "inject: no program\n");
        return 125;
    }
    pid_t child = start(argv + next + 1);
    if (other > 0)
        attach(other);
    int status = follow(child);
    if (record)
        fclose(record);
    return status;
}
