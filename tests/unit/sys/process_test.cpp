#include "unit/sys/sys_support.h"

#include "coracle/sys/file.h"
#include "coracle/sys/process.h"
#include "coracle/sys/procfs.h"
#include "support/forked.h"

#include <sys/prctl.h>
#include <sys/syscall.h>

using namespace coracle;
using namespace coracle::test;
using sys::Fd;

namespace {

std::string stat_text(const std::string& name, const std::string& state, const std::string& start) {
    return "17 (" + name + ") " + state + " 1 17 17 0 -1 4194560 1 0 0 0 7 5 0 0 20 0 1 0 " +
           start + " 2195456 170 18446744073709551615 1 1 0 0 0 0\n";
}

} // namespace

TEST_CASE("procfs: the offset of the boot time clock in clock ticks", "[sys]") {
    const auto offset_of = [](const std::string& text) {
        return sys::parse_boot_time_offset(text, 100);
    };
    CHECK(offset_of("monotonic           7         0\nboottime       100000         0\n") ==
          10000000);
    CHECK(offset_of("boottime           -2 500000000\n") == -150);
    CHECK(offset_of("boottime            0  19999999\n") == 1);
    for (const char* text :
         {"", "boottime", "boottime x 0", "boottime 1 1000000000", "monotonic 1 0"}) {
        INFO(text);
        CHECK(offset_of(text) == 0);
    }
    CHECK(sys::find_boot_time_offset(sys::open_proc().get()) == 0);
}

TEST_CASE("process stat: a name may hold anything", "[sys]") {
    for (const char* name : {"a", "", "a) R 1 (b", ") Z 1 1 1", "((((", "))))", "a b\nc", "1 2 3",
                             "x) S 1 17 17 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 99 "}) {
        INFO(name);
        const std::optional<sys::ProcessStat> stat =
            sys::parse_process_stat(stat_text(name, "Z", "4242"));
        REQUIRE(stat);
        CHECK(stat->state == 'Z');
        CHECK(stat->start_time == 4242);
        CHECK(stat->cpu_time == 12);
    }
    CHECK(sys::parse_process_stat(stat_text("a", "R", "18446744073709551615"))->start_time ==
          UINT64_MAX);
}

TEST_CASE("process stat: what is not one is nothing", "[sys]") {
    for (const std::string& text :
         {std::string(), std::string(")"), std::string("1 (a)"), std::string("1 (a) "),
          std::string("1 (a) R"), std::string("1 a R 1 1"), stat_text("a", "RR", "1"),
          stat_text("a", "", "1"), stat_text("a", "R", "-1"), stat_text("a", "R", ""),
          stat_text("a", "R", "18446744073709551616"), stat_text("a", "R", "0x1"),
          std::string(5000, ' '),
          std::string("1 (a) R 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17")}) {
        INFO(text);
        CHECK_FALSE(sys::parse_process_stat(text));
    }
}

TEST_CASE("process stat: of living, dead and absent processes", "[sys]") {
    const Fd proc = sys::open_proc();
    const std::optional<sys::ProcessStat> own = sys::find_process_stat(proc.get(), ::getpid());
    REQUIRE(own);
    CHECK(own->state == 'R');
    CHECK(own->start_time > 0);
    CHECK_FALSE(sys::find_process_stat(proc.get(), 99999999));
    Forked child([] { ::_exit(3); });
    Fd pidfd;
    REQUIRE(sys::try_open_pidfd(child.pid(), pidfd) == 0);
    REQUIRE(sys::wait_for_exit(pidfd.get(), std::chrono::seconds(10)));
    const std::optional<sys::ProcessStat> zombie = sys::find_process_stat(proc.get(), child.pid());
    REQUIRE(zombie);
    CHECK(zombie->state == 'Z');
    CHECK(zombie->start_time >= own->start_time);
    const pid_t pid = child.pid();
    CHECK(child.wait() == 3 << 8);
    CHECK_FALSE(sys::find_process_stat(proc.get(), pid));
}

TEST_CASE("procfs: boot id, paths, threads", "[sys]") {
    const Fd proc = sys::open_proc();
    const std::string boot_id = sys::read_boot_id(proc.get());
    CHECK(boot_id.size() == 36);
    CHECK(boot_id == sys::read_boot_id(proc.get()));
    CHECK(sys::proc_path(7, "ns/mnt") == "7/ns/mnt");
    CHECK(run_forked([&] { return std::to_string(sys::thread_count(proc.get())); }) == "1");
}

TEST_CASE("procfs: whether a process handles, ignores or blocks a signal", "[sys]") {
    CHECK(run_forked([]() -> std::string {
              const Fd proc = sys::open_proc();
              const auto asked = [&](int signal) {
                  return sys::is_signal_provided_for(proc.get(), ::getpid(), signal) ? "y" : "n";
              };
              (void)::signal(SIGHUP, SIG_DFL);
              (void)::signal(SIGUSR1, SIG_IGN);
              (void)::signal(SIGUSR2, [](int) {});
              sigset_t blocked;
              ::sigemptyset(&blocked);
              ::sigaddset(&blocked, SIGRTMAX);
              (void)::sigprocmask(SIG_SETMASK, &blocked, nullptr);
              return std::string(asked(SIGHUP)) + asked(SIGUSR1) + asked(SIGUSR2) +
                     asked(SIGRTMAX) +
                     (sys::is_signal_provided_for(proc.get(), 99999999, SIGHUP) ? "y" : "n");
          }) == "nyyyy");
}

TEST_CASE("procfs: what vfork blocks is not provided for", "[sys]") {
    CHECK(run_forked([]() -> std::string {
              const Fd proc = sys::open_proc();
              sys::Pipe begun = sys::make_pipe();
              const pid_t slow = sys::clone_process();
              if (slow == 0) {
                  (void)::signal(SIGHUP, SIG_DFL); // as under nohup(1) it is not
                  sigset_t all;
                  sigset_t none;
                  ::sigfillset(&all);
                  ::sigemptyset(&none);
                  (void)::sigprocmask(SIG_SETMASK, &all, nullptr);
                  if (::vfork() == 0) { // NOLINT(clang-analyzer-security.insecureAPI.vfork)
                      (void)!::write(begun.writer.get(), "", 1);
                      ::usleep(300000);
                      ::_exit(0);
                  }
                  (void)::sigprocmask(SIG_SETMASK, &none, nullptr);
                  ::pause();
              }
              char byte = 0;
              (void)!::read(begun.reader.get(), &byte, 1);
              const bool provided = sys::is_signal_provided_for(proc.get(), slow, SIGHUP);
              (void)::kill(slow, SIGKILL);
              (void)::waitpid(slow, nullptr, 0);
              return provided ? "y" : "n";
          }) == "n");
}

TEST_CASE("clone: a child, and a sibling that the parent waits for", "[sys]") {
    const pid_t child = sys::clone_process();
    if (child == 0) {
        int status = 41;
        const pid_t sibling = sys::start_sibling(
            [](void* argument) -> int {
                const int wanted = *static_cast<int*>(argument);
                *static_cast<int*>(argument) = 42; // it is on its starter's memory
                ::_exit(wanted);
            },
            &status);
        ::_exit(sibling > 0 ? status : 1);
    }
    int statuses = 0;
    for (int i = 0; i < 2; ++i) {
        int status = 0;
        REQUIRE(::waitpid(-1, &status, __WALL) > 0);
        statuses += WEXITSTATUS(status);
    }
    CHECK(statuses == 83);
}

TEST_CASE("pidfd: signals, the wait for the end, the status of the dead", "[sys]") {
    Forked child([] {
        for (;;) {
            (void)::pause();
        }
    });
    Fd pidfd;
    REQUIRE(sys::try_open_pidfd(child.pid(), pidfd) == 0);
    CHECK(is_close_on_exec(pidfd.get()));
    CHECK_FALSE(sys::wait_for_exit(pidfd.get(), std::chrono::milliseconds(10)));
    CHECK(sys::try_send_signal(pidfd.get(), 0) == 0);
    CHECK(sys::try_send_signal(pidfd.get(), SIGKILL) == 0);
    CHECK(sys::wait_for_exit(pidfd.get(), std::chrono::seconds(10)));
    CHECK(child.wait() == SIGKILL);
    CHECK(sys::try_send_signal(pidfd.get(), SIGKILL) == ESRCH);
    CHECK(sys::wait_for_exit(pidfd.get(), std::chrono::milliseconds(0)));
    const std::optional<int> status = sys::find_exit_status(pidfd.get());
    if (status) { // from Linux 6.15
        CHECK(*status == SIGKILL);
    }
    CHECK(sys::try_open_pidfd(99999999, pidfd) != 0);
    CHECK_THROWS_AS(sys::wait_for_child(99999999), Error);
}

TEST_CASE("pidfd: a process goes on after its leader, and has ended as a zombie", "[sys]") {
    Forked child([] {
        pthread_t other{};
        (void)::pthread_create(
            &other, nullptr,
            [](void*) -> void* {
                for (;;) {
                    (void)::pause();
                }
            },
            nullptr);
        (void)::syscall(SYS_exit, 0); // this thread alone
    });
    const Fd proc = sys::open_proc();
    Fd pidfd;
    REQUIRE(sys::try_open_pidfd(child.pid(), pidfd) == 0);
    while (sys::find_process_stat(proc.get(), child.pid())->state != 'Z') {
        (void)::usleep(1000);
    }
    CHECK_FALSE(sys::wait_for_exit(pidfd.get(), std::chrono::milliseconds(20)));
    CHECK_FALSE(sys::find_exit_status(pidfd.get()));
    CHECK(sys::try_send_signal(pidfd.get(), SIGKILL) == 0);
    CHECK(sys::wait_for_exit(pidfd.get(), std::chrono::seconds(10)));
    CHECK(sys::find_exit_status(pidfd.get()) == SIGKILL); // our child, not reaped yet
}

TEST_CASE("wait status: in words and as a shell's number", "[sys]") {
    CHECK(sys::describe_wait_status(0) == "exited with status 0");
    CHECK(sys::describe_wait_status(3 << 8) == "exited with status 3");
    CHECK(sys::describe_wait_status(SIGSYS) == "was killed by SIGSYS");
    CHECK(sys::describe_wait_status(SIGSEGV | 0x80) == "was killed by SIGSEGV");
    CHECK(sys::exit_code_of(0) == 0);
    CHECK(sys::exit_code_of(255 << 8) == 255);
    CHECK(sys::exit_code_of(SIGKILL) == 137);
    CHECK(sys::exit_code_of(SIGSEGV | 0x80) == 139);
}

TEST_CASE("process attributes: name, dumpable, no_new_privs, death signal", "[sys]") {
    CHECK(run_forked([]() -> std::string {
              sys::set_process_name("init:mounts-and-more-than-fits");
              char name[17] = {};
              (void)::prctl(PR_GET_NAME, name);
              std::string text = std::string(name) + " ";
              sys::set_dumpable(sys::Dumpable::no);
              text += std::to_string(::prctl(PR_GET_DUMPABLE));
              sys::set_dumpable(sys::Dumpable::yes);
              text += std::to_string(::prctl(PR_GET_DUMPABLE));
              sys::set_no_new_privileges();
              text += std::to_string(::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
              int signal = 0;
              sys::set_parent_death_signal();
              (void)::prctl(PR_GET_PDEATHSIG, &signal);
              text += " " + std::to_string(signal);
              sys::clear_parent_death_signal();
              (void)::prctl(PR_GET_PDEATHSIG, &signal);
              text += " " + std::to_string(signal);
              sys::keep_capabilities();
              sys::become_subreaper();
              int subreaper = 0;
              (void)::prctl(PR_GET_CHILD_SUBREAPER, &subreaper);
              return text + " " + std::to_string(::prctl(PR_GET_KEEPCAPS)) +
                     std::to_string(subreaper);
          }) == "init:mounts-and 011 9 0 11");
}

TEST_CASE("ids: changed thrice, or the cause", "[sys]") {
    check_unless_skipped(run_in_user_namespace(1000,
                                               []() -> std::string {
                                                   sys::set_gid(1000);
                                                   sys::set_uid(1000);
                                                   sys::set_uid(7);
                                                   return "unmapped id set";
                                               }),
                         "error: set uid 7 (not mapped in the user namespace): invalid argument");
}

TEST_CASE("execute: the file behind the fd, with no environment", "[sys]") {
    const Fd env = sys::open_at(AT_FDCWD, "/usr/bin/env", O_PATH);
    CHECK(run_forked([&]() -> std::string { sys::execute_fd(env.get(), {"env"}); }).empty());
    const Fd echo = sys::open_at(AT_FDCWD, "/bin/echo", O_PATH);
    CHECK(run_forked([&]() -> std::string {
              sys::execute_fd(echo.get(), {"x", "a b", ""});
          }) == "a b \n");
    const Fd text = sys::open_at(AT_FDCWD, "/etc/passwd", O_PATH);
    CHECK(error_of([&] { sys::execute_fd(text.get(), {"p"}); }).text() ==
          "execute p: permission denied");
}
