#include "unit/sys/sys_support.h"

#include "coracle/sys/program.h"

#include <csignal>
#include <cstdlib>

using namespace coracle;
using namespace coracle::test;
using namespace std::chrono_literals;

TEST_CASE("program: its output, both streams, and how it ended", "[sys]") {
    const sys::ProgramResult result =
        sys::run_program("/bin/sh", {"-c", "echo out; echo err >&2; exit 3"}, 10s);
    CHECK(WIFEXITED(result.status));
    CHECK(WEXITSTATUS(result.status) == 3);
    CHECK_FALSE(result.timed_out);
    CHECK(result.output == "out\nerr\n");
}

TEST_CASE("program: arguments as they are, an environment of two, an empty stdin", "[sys]") {
    const sys::ProgramResult result =
        sys::run_program("/bin/sh",
                         {"-c",
                          "cat; printf '%s|' \"$@\"; env | grep -v ^_= | grep -v ^PWD= | cut -d= "
                          "-f1 | sort | tr '\\n' ' '",
                          "sh", "a b", "", "$HOME;*"},
                         10s);
    CHECK(result.output == "a b||$HOME;*|LC_ALL PATH ");
}

TEST_CASE("program: inherits neither signal mask nor ignored signals", "[sys]") {
    sigset_t all;
    sigset_t before;
    ::sigfillset(&all);
    REQUIRE(::sigprocmask(SIG_BLOCK, &all, &before) == 0);
    void (*old)(int) = ::signal(SIGUSR1, SIG_IGN);
    const sys::ProgramResult result = sys::run_program(
        "/bin/sh", {"-c", "grep -E '^Sig(Blk|Ign)' /proc/self/status | cut -f2"}, 10s);
    (void)::signal(SIGUSR1, old);
    REQUIRE(::sigprocmask(SIG_SETMASK, &before, nullptr) == 0);
    CHECK(result.output == "0000000000000000\n0000000000000000\n");
}

TEST_CASE("program: one that hangs is killed at the limit", "[sys]") {
    for (const char* script : {"sleep 60", "exec >/dev/null 2>&1; exec sleep 60"}) {
        INFO(script);
        const sys::ProgramResult result = sys::run_program("/bin/sh", {"-c", script}, 200ms);
        CHECK(result.timed_out);
        CHECK(WIFSIGNALED(result.status));
    }
}

TEST_CASE("program: endless output is cut", "[sys]") {
    const sys::ProgramResult result =
        sys::run_program("/bin/sh", {"-c", "head -c 1000000 /dev/zero"}, 10s);
    CHECK(result.output.size() == 65536);
    CHECK(result.status == 0);
}

TEST_CASE("program: one that is not there", "[sys]") {
    const sys::ProgramResult result = sys::run_program("/nonexistent/program", {}, 10s);
    CHECK(WEXITSTATUS(result.status) == 127);
    CHECK(result.output == "No such file or directory");
}

TEST_CASE("program: found in absolute directories of the search path only", "[sys]") {
    CHECK(sys::find_program("sh", "/nonexistent:/bin:/usr/bin") == "/bin/sh");
    CHECK(sys::find_program("sh", "").empty());
    CHECK(sys::find_program("bin", "/").empty());       // a directory
    CHECK(sys::find_program("passwd", "/etc").empty()); // not executable
    CHECK(sys::find_program("bin/sh", "::.:..").empty());
}
