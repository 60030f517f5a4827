/* Verbs for the host: a user namespace such as rootless engines give a runtime, and a way into it.
 */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

extern char** environ;

static int fail(const char* what) {
    fprintf(stderr, "guest: %s: %s\n", what, errno_name(errno));
    return 125;
}

/* hold-user-namespace UID: as that user, a user and a mount namespace until killed. Whoever may
   writes the maps once it has said "ready". */
int verb_hold_user_namespace(int argc, char** argv) {
    uid_t uid = argc > 0 ? (uid_t)strtoul(argv[0], NULL, 10) : 0;
    if (uid == 0)
        return 64;
    if (setgroups(0, NULL) != 0 || setresgid(uid, uid, uid) != 0 || setresuid(uid, uid, uid) != 0)
        return fail("setresuid");
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
        return fail("unshare");
    prctl(PR_SET_DUMPABLE, 1); /* else the files in /proc/PID are those of root */
    prctl(PR_SET_PDEATHSIG, 9);
    put("ready\n");
    for (;;)
        pause();
}

static int join(const char* pid, const char* kind) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%s/ns/%s", pid, kind);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int answer = fd < 0 ? -1 : setns(fd, 0);
    if (fd >= 0)
        close(fd);
    return answer;
}

/* enter PID PROGRAM ARGUMENT...: executes PROGRAM as root of the user and mount namespaces of PID,
   in the same directory, with the groups of the caller, as a rootless engine has them. */
int verb_enter(int argc, char** argv) {
    if (argc < 2)
        return 64;
    char* directory = getcwd(NULL, 0);
    if (!directory || join(argv[0], "user") != 0 || join(argv[0], "mnt") != 0)
        return fail("join");
    if (setresgid(0, 0, 0) != 0 || setresuid(0, 0, 0) != 0)
        return fail("setresuid");
    if (chdir(directory) != 0)
        return fail(directory);
    argv[argc] = NULL;
    execvpe(argv[1], argv + 1, environ);
    return fail(argv[1]);
}
