#include "unit/sys/sys_support.h"

#include "coracle/sys/file.h"
#include "coracle/sys/program.h"
#include "coracle/sys/socket.h"

#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <unistd.h>

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
    CHECK(result.output == "no such file or directory");
}

TEST_CASE("program: found in absolute directories of the search path only", "[sys]") {
    CHECK(sys::find_program("sh", "/nonexistent:/bin:/usr/bin") == "/bin/sh");
    CHECK(sys::find_program("sh", "").empty());
    CHECK(sys::find_program("bin", "/").empty());       // a directory
    CHECK(sys::find_program("passwd", "/etc").empty()); // not executable
    CHECK(sys::find_program("bin/sh", "::.:..").empty());
}

namespace {

sys::ProgramCall shell(const std::string& script) {
    sys::ProgramCall call;
    call.path = "/bin/sh";
    call.argv = {"sh", "-c", script};
    call.environment = {"PATH=/usr/bin:/bin"};
    return call;
}

} // namespace

TEST_CASE("program: reads all of its input, more than a pipe holds", "[sys]") {
    sys::ProgramCall call = shell("wc -c");
    call.input = std::string(300000, 'x');
    CHECK(sys::run_program(call).output == "300000\n");
}

TEST_CASE("program: one that does not read its input is no error", "[sys]") {
    sys::ProgramCall call = shell("exit 0");
    call.input = std::string(300000, 'x');
    CHECK(sys::run_program(call).status == 0);
}

TEST_CASE("program: argv[0], the environment and the directory are as given", "[sys]") {
    sys::ProgramCall call = shell("");
    const sys::Fd directory = sys::open_at(AT_FDCWD, "/usr", O_PATH | O_DIRECTORY);
    call.argv = {"other", "-c", "echo $0 $(pwd); /usr/bin/env"};
    call.environment = {"A=1"};
    call.directory = directory.get();
    CHECK(sys::run_program(call).output == "other /usr\nA=1\nPWD=/usr\n");
}

TEST_CASE("program: each stream goes where it is sent", "[sys]") {
    auto [ours, theirs] = sys::make_packet_pair();
    sys::ProgramCall call = shell("echo out; echo err >&2");
    call.output = theirs.get();
    CHECK(sys::run_program(call).output == "err\n");
    CHECK(sys::receive_packet(ours.get(), 100).data.size() == 4);
}

TEST_CASE("program: gets no fd but the standard streams", "[sys]") {
    const int open = ::dup(0); // without close-on-exec
    REQUIRE(open > 2);
    // a second shell lists those of the first; ls would need statx(2)
    const std::string list = "cd /proc/$$/fd; sh -c 'echo *'; true";
    CHECK(sys::run_program(shell(list)).output == "0 1 2\n");
    ::close(open);
}

TEST_CASE("program: what stays in the background is not waited for", "[sys]") {
    const auto begin = std::chrono::steady_clock::now();
    const sys::ProgramResult result = sys::run_program(shell("sleep 60 & echo $!"));
    CHECK(std::chrono::steady_clock::now() - begin < 10s);
    const int background = std::stoi(result.output);
    CHECK(::kill(background, SIGKILL) == 0);
}

TEST_CASE("program: at the limit its process group is ended too", "[sys]") {
    sys::ProgramCall call = shell("sleep 60 & echo $!; wait");
    call.limit = 300ms;
    const sys::ProgramResult result = sys::run_program(call);
    CHECK(result.timed_out);
    const int background = std::stoi(result.output);
    const auto gone = [&] { // or a zombie that nobody reaps here
        std::ifstream stat("/proc/" + std::to_string(background) + "/stat");
        const std::string text(std::istreambuf_iterator<char>(stat), {});
        return text.empty() || text.find(") Z ") != std::string::npos;
    };
    for (int round = 0; round < 1000 && !gone(); ++round) {
        ::usleep(1000);
    }
    CHECK(gone());
}

TEST_CASE("program: why it was not executed is told apart from how it ended", "[sys]") {
    sys::ProgramCall call = shell("exit 127");
    CHECK(sys::run_program(call).exec_errnum == 0);
    call.path = "/etc/passwd";
    CHECK(sys::run_program(call).exec_errnum == EACCES);
}
