// The floor for the default config: three roles and the work of floor_container.c, with nothing
// read, checked or recorded. The variants put a private copy of the executable in between.
// Usage: floor_same_work [--variant NAME] [--size BYTES] ROOTFS PROGRAM
//   two-roles      no intermediate: init is cloned with all its namespaces
//   none           init goes on in the memory it inherited
//   reexec         init executes the program's own file again
//   ro-clone       init executes a read-only clone of the file's mount (same inode, same page
//   cache) memfd-parent   the parent fills a sealed memfd while the intermediate unshares; init
//   executes it memfd-early    the memfd is filled first and executed by the intermediate tmpfs
//   init copies the file to a detached tmpfs, makes it read-only, executes it small-elf      as
//   memfd-parent, with the embedded container-side ELF (floor_init)
// --size pads the copy with zeros up to that many bytes.
#include "floor_container.h"

#include "floor.h"

#include <elf.h>
#include <link.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

extern const char __ehdr_start[];
extern const char embedded_init[];
extern const char embedded_init_end[];
__asm__(".section .rodata\n.balign 4096\n"
        "embedded_init: .incbin \"" FLOOR_INIT_ELF "\"\n"
        "embedded_init_end:\n.previous\n");

enum variant {
    two_roles,
    none,
    reexec,
    ro_clone,
    tmpfs,
    small_tmpfs,
    memfd_early,
    memfd_parent,
    small_elf,
    memfd_late,
    small_late,
};
static const char* const variant_names[] = {
    [two_roles] = "two-roles",
    [none] = "none",
    [reexec] = "reexec",
    [ro_clone] = "ro-clone",
    [tmpfs] = "tmpfs",
    [small_tmpfs] = "small-tmpfs",
    [memfd_early] = "memfd-early",
    [memfd_parent] = "memfd-parent",
    [small_elf] = "small-elf",
    [memfd_late] = "memfd-late",
    [small_late] = "small-late",
};

static enum variant variant = none;
static const int other_namespaces =
    CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
static size_t padded_size;
static int copy = -1; // the private copy
static int self = -1; // this program's file

static void pad(int fd, size_t size) {
    static const char zeros[65536];
    while (size < padded_size) {
        size_t rest = padded_size - size;
        size += (size_t)need(write(fd, zeros, rest < sizeof zeros ? rest : sizeof zeros), "pad");
    }
}

// Where in this program's file the embedded ELF lies: sendfile from there touches none of our
// pages.
static off_t embedded_offset(void) {
    const ElfW(Phdr)* header = (const void*)getauxval(AT_PHDR);
    uintptr_t base = (uintptr_t)__ehdr_start -
                     (__ehdr_start[EI_NIDENT] == ET_EXEC ? (uintptr_t)__ehdr_start : 0);
    uintptr_t address = (uintptr_t)embedded_init - base;
    for (unsigned long i = getauxval(AT_PHNUM); i > 0; --i, ++header)
        if (header->p_type == PT_LOAD && address - header->p_vaddr < header->p_filesz)
            return (off_t)(address - header->p_vaddr + header->p_offset);
    fail("find the embedded ELF");
}

static void fill(int fd) {
    struct stat about;
    off_t offset = 0;
    need(fstat(self, &about), "fstat");
    size_t size = (size_t)about.st_size;
    if (variant == small_elf || variant == small_late || variant == small_tmpfs) {
        size = (size_t)(embedded_init_end - embedded_init);
        offset = embedded_offset();
    }
    for (size_t done = 0; done < size;)
        done += (size_t)need(sendfile(fd, self, &offset, size - done), "fill the copy");
    pad(fd, size);
}

static void seal(int fd) {
    need(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE), "seal");
}

__attribute__((noreturn)) static void execute(int fd, char** argv) {
    char* envp[] = {NULL};
    syscall(SYS_execveat, fd, "", argv, envp, AT_EMPTY_PATH);
    fail("execute the private copy");
}

static int copy_to_tmpfs(void) {
    int context = (int)need(fsopen("tmpfs", FSOPEN_CLOEXEC), "tmpfs");
    need(fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0), "tmpfs");
    int tree =
        (int)need(fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV), "tmpfs");
    int file = (int)need(openat(tree, "init", O_CREAT | O_WRONLY | O_CLOEXEC, 0700), "tmpfs");
    fill(file);
    close(file);
    struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY};
    need(mount_setattr(tree, "", AT_EMPTY_PATH, &read_only, sizeof read_only), "tmpfs");
    return (int)need(openat(tree, "init", O_PATH | O_CLOEXEC), "tmpfs");
}

// By path: a file opened before the mount namespace was made belongs to the old one's mounts.
static int clone_of_file(void) {
    char path[4096];
    long length = need(readlink("/proc/self/exe", path, sizeof path - 1), "readlink");
    path[length] = 0;
    struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID};
    int tree = (int)need(open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC), path);
    need(mount_setattr(tree, "", AT_EMPTY_PATH, &read_only, sizeof read_only), "mount_setattr");
    return tree;
}

__attribute__((noreturn)) static void run_init(int channel, char** argv) {
    if (variant == none || variant == memfd_early)
        run_container_side(channel, argv[0], argv + 1);
    char number[2] = {(char)('0' + channel), 0};
    char* arguments[] = {"floor", "--container-side", number, argv[0], argv[1], NULL};
    int executable = copy;
    if (variant == reexec)
        executable = self;
    else if (variant == ro_clone)
        executable = clone_of_file();
    else if (variant == tmpfs || variant == small_tmpfs)
        executable = copy_to_tmpfs();
    else if (variant >= memfd_late && need(read(channel, number + 1, 1), "receive CopyReady") == 0)
        _exit(71);
    number[1] = 0;
    execute(executable, arguments);
}

__attribute__((noreturn)) static void run_intermediate(int channel, char** argv) {
    char answer;
    enter_stage("mid:unshare");
    if (variant != two_roles)
        need(unshare(CLONE_NEWUSER), "unshare user");
    enter_stage("mid:id_map");
    need(write(channel, "N", 1), "send NeedIdMap");
    if (need(read(channel, &answer, 1), "receive IdMapDone") == 0)
        _exit(71);
    need(setresgid(0, 0, 0), "setresgid");
    need(setresuid(0, 0, 0), "setresuid");
    if (variant == two_roles)
        run_container_side(channel, argv[0], argv + 1);
    enter_stage("mid:unshare");
    need(unshare(other_namespaces), "unshare");
    pid_t init = (pid_t)need(clone3_role(CLONE_PARENT, 0), "clone init");
    if (init == 0)
        run_init(channel, argv);
    need(write(channel, &init, sizeof init), "send InitStarted");
    _exit(0);
}

static void write_maps(pid_t pid) {
    char path[64] = "/proc/";
    char text[32];
    single_map(text, (unsigned)pid);
    char* digits = text + 2;
    size_t length = strlen(digits) - 2;
    memcpy(path + 6, digits, length);
    char* name = path + 6 + length;
    strcpy(name, "/setgroups");
    write_file(path, "deny");
    strcpy(name, "/uid_map");
    write_file(path, single_map(text, getuid()));
    strcpy(name, "/gid_map");
    write_file(path, single_map(text, getgid()));
}

// InitStarted comes from the intermediate and Ready from init, so either may be first.
static pid_t receive_init(int channel) {
    pid_t message;
    pid_t init = variant == two_roles ? -1 : 0; // then the intermediate is init
    int ready = 0;
    while (!init || !ready) {
        long size = need(read(channel, &message, sizeof message), "receive");
        if (size == 0) {
            say("init ended before Ready\n");
            _exit(72);
        }
        if (size == sizeof message)
            init = message;
        else
            ready = 1;
    }
    return init;
}

static int run_parent(int ends[2], pid_t intermediate) {
    char message;
    int status;
    close(ends[1]);
    if (variant == memfd_parent || variant == small_elf) {
        fill(copy);
        seal(copy);
    }
    if (need(read(ends[0], &message, 1), "receive NeedIdMap") == 0)
        return 71;
    write_maps(intermediate);
    need(write(ends[0], "D", 1), "send IdMapDone");
    if (variant >= memfd_late) {
        fill(copy);
        seal(copy);
        need(write(ends[0], "C", 1), "send CopyReady");
    }
    pid_t init = receive_init(ends[0]);
    need(waitpid(intermediate, &status, 0), "reap the intermediate");
    if (variant == two_roles)
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    need(waitpid(init, &status, 0), "wait for init");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void parse_arguments(char** argv, int* first) {
    while (argv[*first] && argv[*first][0] == '-' && argv[*first + 1]) {
        const char* value = argv[*first + 1];
        if (!strcmp(argv[*first], "--size")) {
            padded_size = strtoul(value, NULL, 10);
        } else {
            variant = two_roles;
            while (variant <= small_late && strcmp(variant_names[variant], value))
                ++variant;
        }
        *first += 2;
    }
}

int main(int argc, char** argv) {
    if (argc >= 5 && !strcmp(argv[1], "--container-side"))
        run_container_side(argv[2][0] - '0', argv[3], argv + 4);
    int ends[2];
    int first = 1;
    if (argc >= 5 && !strcmp(argv[1], "--intermediate"))
        run_intermediate(argv[2][0] - '0', argv + 3);
    parse_arguments(argv, &first);
    if (argc < first + 2 || variant > small_late) {
        say("usage: floor_same_work [--variant NAME] [--size BYTES] ROOTFS PROGRAM\n");
        return 64;
    }
    self = (int)need(open("/proc/self/exe", O_RDONLY | O_CLOEXEC), "/proc/self/exe");
    need(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), "socketpair");
    if (variant >= memfd_early)
        copy = (int)need(memfd_create("floor", MFD_CLOEXEC | MFD_ALLOW_SEALING), "memfd_create");
    if (variant == memfd_early) {
        fill(copy);
        seal(copy);
    }
    // After an exec the channel is known by its number, so that number must survive.
    if (variant > none)
        need(fcntl(ends[1], F_SETFD, 0), "fcntl");
    pid_t intermediate = (pid_t)need(
        clone3_role(variant == two_roles ? CLONE_NEWUSER | (uint64_t)other_namespaces : 0, SIGCHLD),
        "clone the intermediate");
    if (intermediate == 0) {
        close(ends[0]);
        if (variant != memfd_early)
            run_intermediate(ends[1], argv + first);
        char number[2] = {(char)('0' + ends[1]), 0};
        char* arguments[] = {"floor", "--intermediate", number, argv[first], argv[first + 1], NULL};
        execute(copy, arguments);
    }
    return run_parent(ends, intermediate);
}
