#include "unit/sys/sys_support.h"

#include "launch/process_setup_private.h"
#include "support/forked.h"

#include <grp.h>
#include <sys/stat.h>

using namespace coracle;
using namespace coracle::test;
using launch::find_executable;

namespace {

plan::ProcessPlan process_of(std::uint32_t uid) {
    plan::ProcessPlan process;
    process.set_home = true;
    process.uid = uid;
    return process;
}

/// What add_home adds with `passwd` in /etc of a root.
std::string home_with(const TempDir& temp, std::uint32_t uid = 1000) {
    std::vector<std::string> env{"A=1"};
    launch::add_home(process_of(uid), temp.fd(), env);
    return env.size() == 2 ? env[1] : "not one entry";
}

void make_program(const TempDir& temp, const std::string& name, mode_t mode) {
    temp.file(name, "#!/bin/true\n");
    REQUIRE(::chmod(temp.path(name).c_str(), mode) == 0);
}

} // namespace

TEST_CASE("home: from /etc/passwd of the root, or /", "[launch]") {
    const TempDir temp;
    CHECK(home_with(temp) == "HOME=/");
    temp.directory("etc");
    temp.file("etc/passwd", "u:x:1000:1000::/home/u:/bin/sh\nv:x:5:5::relative:/bin/sh\n"
                            "w:x:6:6::/a" +
                                std::string(1, '\0') + "b:/bin/sh\n");
    CHECK(home_with(temp) == "HOME=/home/u");
    CHECK(home_with(temp, 4) == "HOME=/");
    CHECK(home_with(temp, 5) == "HOME=/");
    CHECK(home_with(temp, 6) == "HOME=/");
    std::vector<std::string> env;
    plan::ProcessPlan process = process_of(1000);
    process.set_home = false;
    launch::add_home(process, temp.fd(), env);
    CHECK(env.empty());
}

TEST_CASE("home: a hostile passwd neither blocks nor leads out nor fills memory", "[launch]") {
    const std::string line = "u:x:1000:1000::/home/u:/bin/sh\n";
    const TempDir temp;
    temp.directory("etc");
    REQUIRE(::mkfifoat(temp.fd(), "etc/passwd", 0600) == 0);
    CHECK(home_with(temp) == "HOME=/");
    std::filesystem::remove(temp.path("etc/passwd"));
    temp.directory("etc/passwd");
    CHECK(home_with(temp) == "HOME=/");
    std::filesystem::remove(temp.path("etc/passwd"));
    temp.link("etc/passwd", "/etc/passwd"); // itself
    CHECK(home_with(temp) == "HOME=/");
    std::filesystem::remove(temp.path("etc/passwd"));

    const TempDir outside;
    outside.file("passwd", line);
    temp.link("etc/passwd", outside.path("passwd"));
    CHECK(home_with(temp) == "HOME=/");
    std::filesystem::remove(temp.path("etc/passwd"));

    temp.file("etc/passwd", line + std::string((std::size_t{1} << 20) - line.size(), '#'));
    CHECK(home_with(temp) == "HOME=/home/u");
    temp.file("etc/passwd", line + std::string((std::size_t{1} << 20) - line.size() + 1, '#'));
    CHECK(home_with(temp) == "HOME=/");
}

TEST_CASE("executable: a path is itself, a name is looked for in PATH", "[launch]") {
    const TempDir temp;
    for (const char* name : {"one", "two", "three/d"}) {
        temp.directory(name);
    }
    make_program(temp, "two/prog", 0755);
    make_program(temp, "three/prog", 0755);
    make_program(temp, "one/plain", 0644);
    temp.directory("one/prog"); // a directory of that name is passed by
    const std::string path = "PATH=" + temp.path("none") + ":" + temp.path("one") + ":" +
                             temp.path("two") + ":" + temp.path("three");
    CHECK(find_executable("prog", {"A=1", path, "PATH=/later"}) == temp.path("two/prog"));
    CHECK(find_executable(temp.path("three/prog"), {}) == temp.path("three/prog"));
    CHECK(find_executable("sh", {"XPATH=/none"}).find("/bin/sh") != std::string::npos);
    CHECK(run_forked([&]() -> std::string {
              if (::chdir(temp.path("two").c_str()) != 0) {
                  return "chdir";
              }
              return find_executable("prog", {"PATH="}) + " " +
                     find_executable("prog", {"PATH=/none:"}) + " " +
                     find_executable("./prog", {"PATH=/none"});
          }) == "./prog ./prog ./prog");
}

TEST_CASE("executable: the words that managers look for", "[launch]") {
    const TempDir temp;
    make_program(temp, "plain", 0644);
    temp.directory("dir");
    temp.link("dangling", "none");
    REQUIRE(::mkfifoat(temp.fd(), "fifo", 0777) == 0);
    const std::vector<std::string> env{"PATH=" + temp.path()};
    struct Row {
        std::string program;
        int errnum;
        std::string text;
    };
    for (const Row& row : std::vector<Row>{
             {"none", ENOENT,
              "exec: \"none\": executable file not found in $PATH: no such file or directory"},
             {"", ENOENT,
              "exec: \"\": executable file not found in $PATH: no such file or directory"},
             {"dir", ENOENT,
              "exec: \"dir\": executable file not found in $PATH: no such file or directory"},
             {"plain", EACCES, "exec \"plain\": permission denied"},
             {"fifo", EACCES, "exec \"fifo\": permission denied"},
             {"/no\nne", ENOENT, "exec \"/no\\nne\": stat /no\\nne: no such file or directory"},
             {temp.path("dangling"), ENOENT, "no such file or directory"},
             {temp.path("dir"), EACCES, "permission denied (it is a directory)"},
             {temp.path("plain"), EACCES, "permission denied"},
             {temp.path("plain/x"), ENOTDIR, "not a directory"},
         }) {
        INFO(row.program);
        const Error error = error_of([&] { (void)find_executable(row.program, env); });
        CHECK(error.kind() == ErrorKind::not_executable);
        CHECK(error.errnum() == row.errnum);
        holds(error.text(), row.text);
    }
}

TEST_CASE("process setup: a plan without privilege is carried out", "[launch]") {
    // One id is mapped, so that groups and ids can only be what they are.
    const std::optional<std::string> result = run_in_user_namespace(0, []() -> std::string {
        plan::ProcessPlan process;
        process.cwd = "/usr";
        process.groups_method = plan::GroupsMethod::keep;
        process.umask = 027;
        process.no_new_privileges = true;
        process.last_capability = 40;
        process.ignored_signals = std::uint64_t{1} << (SIGUSR1 - 1);
        for (const int number : {SIGHUP, SIGINT, SIGQUIT}) {
            (void)::signal(number, SIG_DFL); // nohup(1) or a shell's & may have started this
        }
        (void)::signal(SIGUSR1, SIG_IGN);
        (void)::signal(SIGUSR2, SIG_IGN);
        std::vector<plan::Degradation> degraded;
        launch::set_up_process(process, sys::Dumpable::yes, degraded);
        std::ifstream status("/proc/self/status");
        std::string text = std::filesystem::current_path().string();
        for (std::string line; std::getline(status, line);) {
            for (const char* key : {"CapEff", "CapBnd", "NoNewPrivs", "Umask", "SigIgn"}) {
                if (line.rfind(key, 0) == 0) {
                    text += " " + line.substr(line.find('\t') + 1);
                }
            }
        }
        return text;
    });
    check_unless_skipped(result, "/usr 0027 0000000000000800 0000000000000000 0000000000000000 1");
}
