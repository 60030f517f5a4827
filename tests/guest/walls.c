/* Verbs that knock at walls of Landlock, each with "ok" or the errno. */
#include "guest.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

static int say(int answer) {
    puts(answer < 0 ? errno_name(errno) : "ok");
    return 0;
}

static int try_ioctl(const char* path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    int size = 0;
    int answer = fd < 0 ? -1 : ioctl(fd, TIOCGWINSZ, &size);
    return answer < 0 && errno == ENOTTY ? 0 : answer; /* the device itself was asked */
}

/* try-file truncate|mkdir|unlink|list|ioctl PATH, try-file rename|link|symlink FROM TO */
int verb_try_file(int argc, char** argv) {
    if (argc < 2)
        return 64;
    const char* what = argv[0];
    if (strcmp(what, "truncate") == 0)
        return say(truncate(argv[1], 0));
    if (strcmp(what, "mkdir") == 0)
        return say(mkdir(argv[1], 0755));
    if (strcmp(what, "unlink") == 0)
        return say(unlink(argv[1]));
    if (strcmp(what, "list") == 0)
        return say(open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (strcmp(what, "ioctl") == 0)
        return say(try_ioctl(argv[1]));
    if (argc < 3)
        return 64;
    return say(strcmp(what, "rename") == 0 ? rename(argv[1], argv[2])
               : strcmp(what, "link") == 0 ? link(argv[1], argv[2])
                                           : symlink(argv[1], argv[2]));
}

/* try-port bind|connect PORT: TCP of the loopback address. */
int verb_try_port(int argc, char** argv) {
    if (argc < 2)
        return 64;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)atoi(argv[1])),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int (*act)(int, const struct sockaddr*, socklen_t) =
        strcmp(argv[0], "bind") == 0 ? bind : connect;
    return say(fd < 0 ? -1 : act(fd, (struct sockaddr*)&address, sizeof address));
}

/* try-abstract NAME: connects to an abstract unix socket. */
int verb_try_abstract(int argc, char** argv) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = argc > 0 ? strlen(argv[0]) : 0;
    if (length == 0 || length >= sizeof address.sun_path)
        return 64;
    memcpy(address.sun_path + 1, argv[0], length);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length);
    return say(fd < 0 ? -1 : connect(fd, (struct sockaddr*)&address, size));
}

/* try-kill PID SIGNAL */
int verb_try_kill(int argc, char** argv) {
    return argc < 2 ? 64 : say(kill(atoi(argv[0]), atoi(argv[1])));
}
