/* notify WORD...: what a service says to its manager. Each word is a datagram for $NOTIFY_SOCKET;
   "barrier" waits until those before it are processed, "fd:TEXT" has the root directory beside it,
   "fds:TEXT" a lot of them, "sleep" half a second of nothing, "pause" no end. */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int send_with(int fd, const char* text, const int* fds, size_t count) {
    struct iovec part = {(void*)(size_t)text, strlen(text)};
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(250 * sizeof(int))];
    } control;
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (count > 0) {
        memset(&control, 0, sizeof control);
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(&control.header), fds, count * sizeof(int));
    }
    return sendmsg(fd, &message, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

static int barrier(int fd) {
    int ends[2];
    if (pipe(ends) != 0 || send_with(fd, "BARRIER=1", &ends[1], 1) != 0)
        return -1;
    close(ends[1]);
    struct pollfd entry = {ends[0], 0, 0};
    int ready = poll(&entry, 1, 20000);
    close(ends[0]);
    puts(ready == 1 ? "barrier passed" : "barrier timed out");
    return 0;
}

static int say(int fd, const char* word) {
    int fds[250];
    int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int result = 0;
    for (size_t i = 0; i < 250; ++i)
        fds[i] = root;
    if (strcmp(word, "barrier") == 0)
        result = barrier(fd);
    else if (strncmp(word, "fd:", 3) == 0)
        result = send_with(fd, word + 3, fds, 1);
    else if (strncmp(word, "fds:", 4) == 0)
        result = send_with(fd, word + 4, fds, 250);
    else
        result = send_with(fd, word, NULL, 0);
    close(root);
    return result;
}

int verb_notify(int argc, char** argv) {
    const char* path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (!path) {
        puts("no NOTIFY_SOCKET");
        return 0;
    }
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr*)&address, sizeof address) != 0) {
        printf("%s: %s\n", path, errno_name(errno));
        return 1;
    }
    for (int i = 0; i < argc; ++i) {
        if (strcmp(argv[i], "sleep") == 0)
            poll(NULL, 0, 500);
        else if (strcmp(argv[i], "pause") == 0)
            for (;;)
                pause();
        else if (say(fd, argv[i]) != 0)
            printf("%s: %s\n", argv[i], errno_name(errno));
        fflush(stdout);
    }
    return 0;
}
