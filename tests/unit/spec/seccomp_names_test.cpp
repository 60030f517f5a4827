#include "spec/spec_support.h"

#include "coracle/spec/seccomp_names.h"

#include <linux/audit.h>
#include <linux/seccomp.h>

using namespace coracle::spec;

TEST_CASE("seccomp names: actions", "[seccomp_names]") {
    CHECK(find_seccomp_action("SCMP_ACT_ALLOW") == SECCOMP_RET_ALLOW);
    CHECK(find_seccomp_action("SCMP_ACT_ERRNO") == SECCOMP_RET_ERRNO);
    CHECK(find_seccomp_action("SCMP_ACT_KILL") == SECCOMP_RET_KILL_THREAD);
    CHECK(find_seccomp_action("SCMP_ACT_KILL_THREAD") == SECCOMP_RET_KILL_THREAD);
    CHECK(find_seccomp_action("SCMP_ACT_KILL_PROCESS") == SECCOMP_RET_KILL_PROCESS);
    CHECK(find_seccomp_action("SCMP_ACT_NOTIFY") == SECCOMP_RET_USER_NOTIF);
    CHECK(find_seccomp_action("SCMP_ACT_TRAP") == SECCOMP_RET_TRAP);
    CHECK_FALSE(find_seccomp_action("scmp_act_allow"));
    CHECK_FALSE(find_seccomp_action(""));
    CHECK(seccomp_actions().size() == 9);
    for (const std::string_view name : seccomp_actions()) {
        REQUIRE(find_seccomp_action(name));
        const bool takes = name == "SCMP_ACT_ERRNO" || name == "SCMP_ACT_TRACE";
        CHECK(seccomp_action_takes_errno(*find_seccomp_action(name)) == takes);
    }
}

TEST_CASE("seccomp names: architectures", "[seccomp_names]") {
    CHECK(find_seccomp_architecture("SCMP_ARCH_X86_64") == AUDIT_ARCH_X86_64);
    CHECK(find_seccomp_architecture("SCMP_ARCH_X86") == AUDIT_ARCH_I386);
    CHECK(find_seccomp_architecture("SCMP_ARCH_AARCH64") == AUDIT_ARCH_AARCH64);
    CHECK_FALSE(find_seccomp_architecture("X86_64"));
    CHECK(seccomp_architectures().size() == 23);
    for (const std::string_view name : seccomp_architectures()) {
        CHECK(find_seccomp_architecture(name));
    }
}

TEST_CASE("seccomp names: operators and flags", "[seccomp_names]") {
    CHECK(seccomp_operators().size() == 7);
    CHECK(seccomp_flags().size() == 4);
}
