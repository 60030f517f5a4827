/* Verbs that look around: at the links of other processes, and for what can be written. */
#include "guest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static volatile sig_atomic_t finished;

static void finish(int number) {
    (void)number;
    finished = 1;
}

enum { most_seen = 4096 };
static struct {
    unsigned long long dev, ino;
    char kind;
} seen[most_seen];
static size_t count;

/* Prints "KIND DEVICE:INODE TARGET" for a file or directory behind a link that is new. */
static void look(const char* kind, const char* path) {
    struct stat found;
    if (stat(path, &found) != 0 || (!S_ISREG(found.st_mode) && !S_ISDIR(found.st_mode)))
        return;
    for (size_t i = 0; i < count; ++i)
        if (seen[i].dev == found.st_dev && seen[i].ino == found.st_ino && seen[i].kind == *kind)
            return;
    if (count == most_seen)
        return;
    seen[count].dev = found.st_dev;
    seen[count].ino = found.st_ino;
    seen[count++].kind = *kind;
    char target[4096];
    ssize_t length = readlink(path, target, sizeof target - 1);
    target[length > 0 ? length : 0] = '\0';
    printf("%s %llu:%llu %s\n", kind, (unsigned long long)found.st_dev,
           (unsigned long long)found.st_ino, target);
    fflush(stdout);
}

static void look_at_descriptors(const char* process) {
    char path[600];
    snprintf(path, sizeof path, "%s/fd", process);
    DIR* fds = opendir(path);
    struct dirent* entry;
    while (fds && (entry = readdir(fds)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/fd/%s", process, entry->d_name);
        look("fd", path);
    }
    if (fds)
        closedir(fds);
}

/* watch-links [exe]: until SIGTERM, what the links of every other process in /proc lead to. */
int verb_watch_links(int argc, char** argv) {
    static const char* const links[] = {"exe", "root", "cwd"};
    size_t kinds = argc > 0 && strcmp(argv[0], "exe") == 0 ? 1 : 3;
    unsigned long long rounds = 0;
    signal(SIGTERM, finish);
    put("ready\n");
    while (!finished) {
        ++rounds;
        DIR* proc = opendir("/proc");
        struct dirent* entry;
        while (proc && (entry = readdir(proc)) != NULL) {
            char process[300];
            char path[400];
            if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
                continue;
            snprintf(process, sizeof process, "/proc/%s", entry->d_name);
            for (size_t i = 0; i < kinds; ++i) {
                snprintf(path, sizeof path, "%s/%s", process, links[i]);
                look(links[i], path);
            }
            if (kinds > 1 && strcmp(entry->d_name, "1") != 0)
                look_at_descriptors(process);
        }
        if (proc)
            closedir(proc);
    }
    printf("rounds %llu\n", rounds);
    return 0;
}

static void try_directory(const char* path) {
    char name[4200];
    snprintf(name, sizeof name, "%s/made-by-guest", path);
    if (mkdir(name, 0755) == 0) {
        rmdir(name);
        printf("%s/\n", path);
    }
}

/* find-writable DIRECTORY...: what below, four levels deep, opens for writing if it is a file, or
   takes a new entry if it is a directory. Nothing is written. */
static void find_writable(const char* path, int levels) {
    try_directory(path);
    DIR* directory = opendir(path);
    struct dirent* entry;
    while (directory && (entry = readdir(directory)) != NULL) {
        char name[4200];
        struct stat found;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (snprintf(name, sizeof name, "%s/%s", path, entry->d_name) >= 4096 ||
            lstat(name, &found) != 0)
            continue;
        if (S_ISDIR(found.st_mode) && levels > 0)
            find_writable(name, levels - 1);
        if (!S_ISREG(found.st_mode))
            continue;
        int fd = open(name, O_WRONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
        if (fd < 0)
            continue;
        puts(name);
        close(fd);
    }
    if (directory)
        closedir(directory);
}

int verb_find_writable(int argc, char** argv) {
    for (int i = 0; i < argc; ++i)
        find_writable(argv[i], 3);
    return 0;
}
