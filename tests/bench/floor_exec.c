// The least that is an exec: the namespaces of a container's process joined at once, fork, exec,
// wait. Usage: floor_exec PID PROGRAM [ARG...]
#include "floor.h"

#include <sched.h>
#include <stdlib.h>
#include <sys/wait.h>

int main(int argc, char** argv) {
    if (argc < 3) {
        say("usage: floor_exec PID PROGRAM [ARG...]\n");
        return 64;
    }
    int process = (int)need(syscall(SYS_pidfd_open, atoi(argv[1]), 0), "pidfd_open");
    need(setns(process, CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC |
                            CLONE_NEWUTS | CLONE_NEWCGROUP),
         "setns");
    close(process);
    pid_t child = (pid_t)need(clone3_role(0, SIGCHLD), "clone3");
    if (child == 0) {
        char* envp[] = {NULL};
        execve(argv[2], argv + 2, envp);
        fail(argv[2]);
    }
    int status = 0;
    need(waitpid(child, &status, 0), "waitpid");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
