#include "coracle/security/process_attributes.h"

#include "support/catch.h"
#include "support/forked.h"

#include "coracle/sys/file.h"

#include <array>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <functional>
#include <iterator>
#include <optional>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

using namespace coracle;
using coracle::security::apply_labels;
using coracle::security::apply_process_attributes;
using coracle::test::run_forked;
using coracle::test::run_in_user_namespace;

namespace {

/// A directory like a procfs, with the files that a label goes to.
class FakeProc {
  public:
    explicit FakeProc(bool with_apparmor) {
        REQUIRE(::mkdtemp(path_.data()) != nullptr);
        make_directory("/self");
        make_directory("/self/attr");
        make_file("/self/attr/exec");
        if (with_apparmor) {
            make_directory("/self/attr/apparmor");
            make_file("/self/attr/apparmor/exec");
        }
        fd = sys::open_at(AT_FDCWD, path_, O_PATH | O_DIRECTORY);
    }
    FakeProc(const FakeProc&) = delete;
    FakeProc& operator=(const FakeProc&) = delete;
    FakeProc(FakeProc&&) = delete;
    FakeProc& operator=(FakeProc&&) = delete;
    ~FakeProc() {
        for (const char* name : {"/self/attr/apparmor/exec", "/self/attr/exec"}) {
            (void)::unlink((path_ + name).c_str());
        }
        for (const char* name : {"/self/attr/apparmor", "/self/attr", "/self", ""}) {
            (void)::rmdir((path_ + name).c_str());
        }
    }
    [[nodiscard]] std::string read(const std::string& name) const {
        std::ifstream file(path_ + name);
        return std::string(std::istreambuf_iterator<char>(file), {});
    }
    sys::Fd fd;

  private:
    void make_directory(const std::string& name) const {
        REQUIRE(::mkdir((path_ + name).c_str(), 0700) == 0);
    }
    void make_file(const std::string& name) const { std::ofstream(path_ + name) << ""; }
    std::string path_ = "/tmp/coracle-attributes-XXXXXX";
};

void check_refused(const std::function<void()>& act, const std::string& text) {
    const std::optional<std::string> seen = run_in_user_namespace(0, [&]() -> std::string {
        act();
        return "done";
    });
    if (!seen) {
        WARN("skipped: no user namespaces here");
        return;
    }
    INFO(*seen);
    CHECK(seen->find(text) != std::string::npos);
}

} // namespace

TEST_CASE("labels: AppArmor has a file of its own", "[security]") {
    FakeProc proc(true);
    plan::ProcessPlan process;
    process.apparmor_change = "exec box";
    apply_labels(process, proc.fd.get());
    CHECK(proc.read("/self/attr/apparmor/exec") == "exec box");
    CHECK(proc.read("/self/attr/exec").empty());
}

TEST_CASE("labels: AppArmor of an old kernel has the common file", "[security]") {
    FakeProc proc(false);
    plan::ProcessPlan process;
    process.apparmor_change = "stack box";
    apply_labels(process, proc.fd.get());
    CHECK(proc.read("/self/attr/exec") == "stack box");
}

TEST_CASE("labels: SELinux takes the context as it is", "[security]") {
    FakeProc proc(true);
    plan::ProcessPlan process;
    process.selinux_label = "u:r:t:s0:c1,c2";
    apply_labels(process, proc.fd.get());
    CHECK(proc.read("/self/attr/exec") == "u:r:t:s0:c1,c2");
    CHECK(proc.read("/self/attr/apparmor/exec").empty());
}

TEST_CASE("labels: none asked for, none written", "[security]") {
    CHECK_NOTHROW(apply_labels(plan::ProcessPlan{}, -1));
}

TEST_CASE("attributes: a lower nice value without privilege names member and cure", "[security]") {
    check_refused(
        [] {
            plan::ProcessPlan process;
            process.scheduler = plan::SchedulerPlan{0, 0, -20, 0, 0, 0, 0};
            apply_process_attributes(process);
        },
        "/process/scheduler: set the scheduler: operation not permitted (a lower nice value or a");
}

TEST_CASE("attributes: the real-time I/O class without privilege names member and cure",
          "[security]") {
    check_refused(
        [] {
            plan::ProcessPlan process;
            process.io_priority = plan::IoPriorityPlan{1, 0};
            apply_process_attributes(process);
        },
        "/process/ioPriority: set the I/O priority: operation not permitted (the real-time class");
}

TEST_CASE("attributes: a policy that the kernel does not have is said", "[security]") {
    const std::string seen = run_forked([]() -> std::string {
        plan::ProcessPlan process;
        process.scheduler = plan::SchedulerPlan{4, 0, 0, 0, 0, 0, 0};
        apply_process_attributes(process);
        return "done";
    });
    CHECK(seen.find("this kernel does not have the policy") != std::string::npos);
}
