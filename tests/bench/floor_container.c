// What the default config asks of the container's first process, once per step and without any
// generality: 7 mounts, 6 devices, 12 masked and 5 read-only paths, read-only root, bounding set.
#include "floor_container.h"

#include "floor.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

enum { no_exec = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC };

static int root; // the clone of the rootfs; paths resolve in it

static int make_mount(const char* type, const char* (*options)[2], unsigned attributes) {
    int context = (int)need(fsopen(type, FSOPEN_CLOEXEC), type);
    for (; options && (*options)[0]; ++options)
        need(fsconfig(context, FSCONFIG_SET_STRING, (*options)[0], (*options)[1], 0), type);
    need(fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0), type);
    int tree = (int)need(fsmount(context, FSMOUNT_CLOEXEC, attributes), type);
    close(context);
    return tree;
}

static void attach(int tree, int target) {
    need(move_mount(tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH),
         "move_mount");
    close(target);
    close(tree);
}

static void mount_at(const char* type, const char* path, const char* (*options)[2],
                     unsigned attributes) {
    int tree = make_mount(type, options, attributes);
    attach(tree, (int)need(open_in_root(root, path, O_PATH), path));
}

static void make_directory(const char* parent, const char* name) {
    int fd = (int)need(open_in_root(root, parent, O_PATH | O_DIRECTORY), parent);
    need(mkdirat(fd, name, 0755), name);
    close(fd);
}

static void make_mounts(void) {
    const char* dev[][2] = {{"mode", "755"}, {"size", "65536k"}, {NULL, NULL}};
    const char* pts[][2] = {
        {"newinstance", NULL}, {"ptmxmode", "0666"}, {"mode", "0620"}, {NULL, NULL}};
    const char* shm[][2] = {{"mode", "1777"}, {"size", "65536k"}, {NULL, NULL}};
    mount_at("proc", "proc", NULL, no_exec);
    mount_at("tmpfs", "dev", dev, MOUNT_ATTR_NOSUID | MOUNT_ATTR_STRICTATIME);
    make_directory("dev", "pts");
    mount_at("devpts", "dev/pts", pts + 1, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
    make_directory("dev", "shm");
    mount_at("tmpfs", "dev/shm", shm, no_exec);
    make_directory("dev", "mqueue");
    mount_at("mqueue", "dev/mqueue", NULL, no_exec);
    mount_at("sysfs", "sys", NULL, no_exec | MOUNT_ATTR_RDONLY);
    mount_at("cgroup2", "sys/fs/cgroup", NULL, no_exec | MOUNT_ATTR_RDONLY);
}

static void bind_devices(void) {
    static const char* const names[] = {"null", "zero", "full", "random", "urandom", "tty"};
    static const char* const links[][2] = {{"/proc/self/fd", "fd"},
                                           {"/proc/self/fd/0", "stdin"},
                                           {"/proc/self/fd/1", "stdout"},
                                           {"/proc/self/fd/2", "stderr"},
                                           {"pts/ptmx", "ptmx"}};
    int dev = (int)need(open_in_root(root, "dev", O_PATH | O_DIRECTORY), "dev");
    int host = (int)need(open("/dev", O_PATH | O_DIRECTORY | O_CLOEXEC), "/dev");
    for (unsigned i = 0; i < sizeof names / sizeof *names; ++i) {
        int node = (int)need(openat(dev, names[i], O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666),
                             names[i]);
        attach((int)need(open_tree(host, names[i], OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC), names[i]),
               node);
    }
    for (unsigned i = 0; i < sizeof links / sizeof *links; ++i)
        need(symlinkat(links[i][0], dev, links[i][1]), links[i][1]);
    close(host);
    close(dev);
}

// Directories share one empty read-only tmpfs, files the host's /dev/null.
static void mask_paths(void) {
    static const char* const masked[] = {"proc/acpi",
                                         "proc/asound",
                                         "proc/interrupts",
                                         "proc/kcore",
                                         "proc/keys",
                                         "proc/latency_stats",
                                         "proc/sched_debug",
                                         "proc/scsi",
                                         "proc/timer_list",
                                         "proc/timer_stats",
                                         "sys/devices/virtual/powercap",
                                         "sys/firmware"};
    int null = (int)need(open("/dev/null", O_PATH | O_NOFOLLOW | O_CLOEXEC), "/dev/null");
    int empty = -1;
    for (unsigned i = 0; i < sizeof masked / sizeof *masked; ++i) {
        int target = open_in_root(root, masked[i], O_PATH);
        if (target < 0)
            continue;
        struct stat about;
        need(fstat(target, &about), masked[i]);
        if (S_ISDIR(about.st_mode) && empty < 0)
            empty = make_mount("tmpfs", NULL, no_exec | MOUNT_ATTR_RDONLY);
        attach((int)need(open_tree(S_ISDIR(about.st_mode) ? empty : null, "",
                                   AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC),
                         masked[i]),
               target);
    }
    close(empty);
    close(null);
}

static void make_read_only_paths(void) {
    static const char* const paths[] = {"proc/bus", "proc/fs", "proc/irq", "proc/sys",
                                        "proc/sysrq-trigger"};
    struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY};
    for (unsigned i = 0; i < sizeof paths / sizeof *paths; ++i) {
        int target = open_in_root(root, paths[i], O_PATH);
        if (target < 0)
            continue;
        int tree =
            (int)need(open_tree(target, "",
                                AT_EMPTY_PATH | AT_RECURSIVE | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC),
                      paths[i]);
        need(mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &read_only, sizeof read_only),
             paths[i]);
        attach(tree, target);
    }
}

static void enter_root(void) {
    struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY};
    need(fchdir(root), "fchdir");
    need(syscall(SYS_pivot_root, ".", "."), "pivot_root");
    need(umount2(".", MNT_DETACH), "umount the old root");
    need(mount_setattr(root, "", AT_EMPTY_PATH, &read_only, sizeof read_only), "read-only root");
    need(chdir("/"), "chdir");
}

static void drop_privileges(void) {
    // CAP_KILL, CAP_NET_BIND_SERVICE, CAP_AUDIT_WRITE: the defaults of `spec`.
    const uint64_t kept =
        (1ULL << CAP_KILL) | (1ULL << CAP_NET_BIND_SERVICE) | (1ULL << CAP_AUDIT_WRITE);
    for (unsigned long cap = 0; cap <= CAP_LAST_CAP; ++cap)
        if (!(kept >> cap & 1))
            need(prctl(PR_CAPBSET_DROP, cap, 0, 0, 0), "drop from the bounding set");
    struct rlimit files = {1024, 1024};
    need(setrlimit(RLIMIT_NOFILE, &files), "RLIMIT_NOFILE");
    need(setresgid(0, 0, 0), "setresgid");
    need(setresuid(0, 0, 0), "setresuid");
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {{(uint32_t)kept, (uint32_t)kept, 0},
                                             {(uint32_t)(kept >> 32), (uint32_t)(kept >> 32), 0}};
    need(syscall(SYS_capset, &header, data), "capset");
    need(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
}

void run_container_side(int ready, const char* rootfs, char** argv) {
    enter_stage("init:session");
    umask(0);
    need(setsid(), "setsid");
    enter_stage("init:mounts");
    need(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "make mounts private");
    root = (int)need(
        open_tree(AT_FDCWD, rootfs, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE), rootfs);
    need(move_mount(root, "", AT_FDCWD, rootfs, MOVE_MOUNT_F_EMPTY_PATH), rootfs);
    make_mounts();
    bind_devices();
    mask_paths();
    make_read_only_paths();
    need(sethostname("floor", 5), "sethostname");
    enter_stage("init:pivot");
    enter_root();
    enter_stage("init:identity");
    umask(022);
    drop_privileges();
    enter_stage("init:gate");
    need(write(ready, "R", 1), "send Ready");
    enter_stage("init:execve");
    need(close_range(3, ~0U, CLOSE_RANGE_CLOEXEC), "close_range");
    char* envp[] = {"PATH=/bin", NULL};
    execve(argv[0], argv, envp);
    fail(argv[0]);
}
