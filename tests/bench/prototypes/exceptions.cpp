// Prototype for ADR 0001: what a throw costs, and where it must not happen.
// Run: g++ -std=c++20 -O2 exceptions.cpp -o /tmp/exceptions && /tmp/exceptions   (again with
// -static)
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

// Ten frames deep, each with something to destroy.
[[gnu::noinline]] void work(int depth) {
    std::string guard(40, 'x');
    if (depth == 0)
        throw std::runtime_error("open /srv/hosts: No such file or directory");
    work(depth - 1);
    if (guard.empty())
        std::puts("never");
}

double throw_once() {
    const Clock::time_point start = Clock::now();
    try {
        work(10);
    } catch (const std::exception&) {
    }
    return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

// From here on a futex call ends the process.
void forbid_futex() {
    sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_futex, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    sock_fprog program = {sizeof code / sizeof *code, code};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

// How a child ends that throws for the first time under that filter.
std::string throw_under_filter() {
    int status = 0;
    const pid_t child = fork();
    if (child == 0) {
        forbid_futex();
        throw_once();
        _exit(0);
    }
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? std::string("killed by SIG") + sigabbrev_np(WTERMSIG(status))
                               : "fine";
}

} // namespace

int main() {
    const std::string before = throw_under_filter();
    const double first = throw_once();
    std::vector<double> later;
    for (int i = 0; i < 1000; ++i)
        later.push_back(throw_once());
    std::sort(later.begin(), later.end());
    std::printf("throw through 10 frames: first %.0f us, later p10 %.1f us\n", first, later[100]);
    std::printf("first throw under a filter without futex: %s; after a throw before it: %s\n",
                before.c_str(), throw_under_filter().c_str());
}
