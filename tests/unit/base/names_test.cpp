#include "support/catch.h"

#include "coracle/base/names.h"

#include <csignal>
#include <linux/capability.h>
#include <sched.h>
#include <sys/resource.h>

using namespace coracle;

TEST_CASE("names: namespaces", "[names]") {
    REQUIRE(namespace_kinds().size() == 8);
    for (const NamespaceKind kind : namespace_kinds()) {
        CHECK(find_namespace_kind(name_of(kind)) == kind);
    }
    CHECK(namespace_kinds().front() == NamespaceKind::user);
    CHECK(std::string(name_of(NamespaceKind::network)) == "network");
    CHECK(std::string(proc_name_of(NamespaceKind::network)) == "net");
    CHECK(std::string(proc_name_of(NamespaceKind::mount)) == "mnt");
    CHECK_FALSE(find_namespace_kind("net"));
    CHECK_FALSE(find_namespace_kind("Network"));
    CHECK_FALSE(find_namespace_kind(""));
}

TEST_CASE("names: clone flags are the kernel's", "[names]") {
    CHECK(clone_flag_of(NamespaceKind::user) == CLONE_NEWUSER);
    CHECK(clone_flag_of(NamespaceKind::mount) == CLONE_NEWNS);
    CHECK(clone_flag_of(NamespaceKind::pid) == CLONE_NEWPID);
    CHECK(clone_flag_of(NamespaceKind::network) == CLONE_NEWNET);
    CHECK(clone_flag_of(NamespaceKind::ipc) == CLONE_NEWIPC);
    CHECK(clone_flag_of(NamespaceKind::uts) == CLONE_NEWUTS);
    CHECK(clone_flag_of(NamespaceKind::cgroup) == CLONE_NEWCGROUP);
    CHECK(clone_flag_of(NamespaceKind::time) == 0x80);
}

TEST_CASE("names: capabilities", "[names]") {
    CHECK(find_capability("CAP_CHOWN") == CAP_CHOWN);
    CHECK(find_capability("cap_sys_admin") == CAP_SYS_ADMIN);
    CHECK(find_capability("CAP_SETFCAP") == CAP_SETFCAP);
    CHECK(find_capability("CAP_AUDIT_READ") == CAP_AUDIT_READ);
    CHECK(find_capability("CAP_CHECKPOINT_RESTORE") == 40);
    CHECK_FALSE(find_capability("CHOWN"));
    CHECK_FALSE(find_capability("CAP_CHOWN "));
    CHECK_FALSE(find_capability(""));
    CHECK(capability_count() == 41);
    for (int number = 0; number < capability_count(); ++number) {
        REQUIRE(capability_name(number) != nullptr);
        CHECK(find_capability(capability_name(number)) == number);
    }
    CHECK(capability_name(-1) == nullptr);
    CHECK(capability_name(41) == nullptr);
}

TEST_CASE("names: resource limits", "[names]") {
    CHECK(find_rlimit("RLIMIT_NOFILE") == RLIMIT_NOFILE);
    CHECK(find_rlimit("RLIMIT_RTTIME") == RLIMIT_RTTIME);
    CHECK_FALSE(find_rlimit("NOFILE"));
    CHECK_FALSE(find_rlimit("rlimit_nofile"));
    for (int number = 0; number < RLIM_NLIMITS; ++number) {
        REQUIRE(rlimit_name(number) != nullptr);
        CHECK(find_rlimit(rlimit_name(number)) == number);
    }
    CHECK(rlimit_name(RLIM_NLIMITS) == nullptr);
}

TEST_CASE("names: signals by number and name", "[names]") {
    CHECK(find_signal("9") == SIGKILL);
    CHECK(find_signal("KILL") == SIGKILL);
    CHECK(find_signal("SIGKILL") == SIGKILL);
    CHECK(find_signal("sigterm") == SIGTERM);
    CHECK(find_signal("Cld") == SIGCHLD);
    CHECK(find_signal("64") == 64);
    CHECK(find_signal("rtmin") == 34);
    CHECK(find_signal("rtmin+2") == 36);
    CHECK(find_signal("SIGRTMAX-1") == 63);
    CHECK(find_signal("RTMIN+30") == 64);
    for (const char* bad : {"", "0", "65", "-1", "+9", "9x", "SIG", "NONE", "RTMIN+31", "RTMIN-1",
                            "RTMAX+1", "RTMIN+", "RTMIN2", "KILL ", "99999999999999999999"}) {
        CAPTURE(bad);
        CHECK_FALSE(find_signal(bad));
    }
}

TEST_CASE("names: the name of a signal number", "[names]") {
    CHECK(signal_name(SIGKILL) == "SIGKILL");
    CHECK(signal_name(SIGCHLD) == "SIGCHLD");
    CHECK(signal_name(42) == "signal 42");
}
