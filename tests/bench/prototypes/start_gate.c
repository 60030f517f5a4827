// Prototype for ADR 0005: the start gate as a listening socket bound by the creator, and what it
// must survive. Run: cc -O2 -D_GNU_SOURCE start_gate.c -o /tmp/gate && /tmp/gate
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char directory[300] = "/tmp/start-gate-";
static int directory_fd;

static struct sockaddr_un address(void) {
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    snprintf(name.sun_path, sizeof name.sun_path, "/proc/self/fd/%d/start.sock", directory_fd);
    return name;
}

static int bind_gate(void) {
    struct sockaddr_un name = address();
    int gate = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    unlinkat(directory_fd, "start.sock", 0);
    if (bind(gate, (struct sockaddr*)&name, sizeof name) || listen(gate, 8)) {
        perror("bind");
        exit(1);
    }
    return gate;
}

static int connect_gate(void) {
    struct sockaddr_un name = address();
    int client = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    return connect(client, (struct sockaddr*)&name, sizeof name) ? -errno : client;
}

// Init's side: the first client that really sends Start opens the gate; then "exec" = close.
static void wait_at_gate(int gate) {
    for (;;) {
        char text[8] = "";
        int client = accept4(gate, NULL, NULL, SOCK_CLOEXEC);
        if (client < 0)
            _exit(3);
        if (read(client, text, sizeof text) == 5 && send(client, "accepted", 8, MSG_NOSIGNAL) == 8)
            _exit(0);
        close(client);
    }
}

// A creator that binds, starts init, closes its end and goes away: init outlives it.
static pid_t create_and_leave(void) {
    int pid_pipe[2];
    pid_t init = 0;
    if (pipe(pid_pipe))
        exit(1);
    pid_t creator = fork();
    if (creator == 0) {
        int gate = bind_gate();
        pid_t child = fork();
        if (child == 0)
            wait_at_gate(gate);
        (void)!write(pid_pipe[1], &child, sizeof child);
        _exit(0);
    }
    waitpid(creator, NULL, 0);
    (void)!read(pid_pipe[0], &init, sizeof init);
    close(pid_pipe[0]);
    close(pid_pipe[1]);
    return init;
}

static const char* start(int client) {
    static char text[64];
    if (client < 0)
        return strcpy(text, strerror(-client));
    if (send(client, "start", 5, MSG_NOSIGNAL) != 5)
        return strcpy(text, strerror(errno));
    memset(text, 0, sizeof text);
    if (recv(client, text, sizeof text - 1, 0) < 0)
        return strcpy(text, strerror(errno));
    return text[0] ? text : "end of file";
}

static double milliseconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static int compare(const void* a, const void* b) {
    return (*(const double*)a > *(const double*)b) - (*(const double*)a < *(const double*)b);
}

static void measure(void) {
    enum { rounds = 300 };
    double bound[rounds], met[rounds];
    for (int i = 0; i < rounds; ++i) {
        double before = milliseconds();
        int gate = bind_gate();
        double between = milliseconds();
        int client = connect_gate();
        int server = accept4(gate, NULL, NULL, SOCK_CLOEXEC);
        bound[i] = between - before;
        met[i] = milliseconds() - between;
        close(server);
        close(client);
        close(gate);
    }
    qsort(bound, rounds, sizeof *bound, compare);
    qsort(met, rounds, sizeof *met, compare);
    printf("socket+bind+listen p10 %.3f ms, socket+connect+accept p10 %.3f ms\n",
           bound[rounds / 10], met[rounds / 10]);
}

int main(void) {
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    memset(directory + strlen(directory), 'x', 200); // the path would not fit into sun_path
    if (mkdir(directory, 0700) && errno != EEXIST)
        return 1;
    directory_fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    pid_t init = create_and_leave();
    printf("creator gone, path of %zu bytes: %s\n", strlen(directory), start(connect_gate()));
    waitpid(init, NULL, 0);
    printf("start again, init has gone on: %s\n", start(connect_gate()));
    init = create_and_leave();
    close(connect_gate()); // a client that connects and dies
    printf("after a client that died: %s\n", start(connect_gate()));
    waitpid(init, NULL, 0);
    init = create_and_leave();
    int first = connect_gate(), second = connect_gate();
    printf("two at once: first %s", start(first));
    printf(", second %s\n", start(second));
    waitpid(init, NULL, 0);
    init = create_and_leave();
    int waiting = connect_gate();
    kill(init, SIGKILL);
    waitpid(init, NULL, 0);
    printf("init killed while waiting: connected %s", start(waiting));
    printf(", new %s\n", start(connect_gate()));
    measure();
    unlinkat(directory_fd, "start.sock", 0);
    return rmdir(directory);
}
