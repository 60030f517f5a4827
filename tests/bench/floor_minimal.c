// The least that is a container: all namespaces at once, single-id maps, private mounts, proc, a
// tmpfs, pivot_root, exec, wait. Every benchmark prints this floor beside the runtimes.
// Usage: floor_minimal ROOTFS PROGRAM
#include "floor.h"

#include <sys/wait.h>

static void mount_new(const char* type, const char* target) {
    int context = (int)need(fsopen(type, FSOPEN_CLOEXEC), "fsopen");
    need(fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0), type);
    int tree = (int)need(
        fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC),
        type);
    need(move_mount(tree, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH), target);
    close(tree);
    close(context);
}

__attribute__((noreturn)) static void run_init(const char* rootfs, char** argv, unsigned uid,
                                               unsigned gid) {
    char map[32];
    write_file("/proc/self/setgroups", "deny");
    write_file("/proc/self/uid_map", single_map(map, uid));
    write_file("/proc/self/gid_map", single_map(map, gid));
    need(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "make mounts private");
    need(mount(rootfs, rootfs, NULL, MS_BIND | MS_REC, NULL), rootfs);
    need(chdir(rootfs), rootfs);
    mount_new("proc", "proc");
    mount_new("tmpfs", "dev");
    need(syscall(SYS_pivot_root, ".", "."), "pivot_root");
    need(umount2(".", MNT_DETACH), "umount the old root");
    char* envp[] = {NULL};
    execve(argv[0], argv, envp);
    fail(argv[0]);
}

int main(int argc, char** argv) {
    if (argc < 3) {
        say("usage: floor_minimal ROOTFS PROGRAM [ARG...]\n");
        return 64;
    }
    unsigned uid = getuid();
    unsigned gid = getgid();
    pid_t init = (pid_t)need(clone3_role(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET |
                                             CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP,
                                         SIGCHLD),
                             "clone3");
    if (init == 0)
        run_init(argv[1], argv + 2, uid, gid);
    int status = 0;
    need(waitpid(init, &status, 0), "waitpid");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
