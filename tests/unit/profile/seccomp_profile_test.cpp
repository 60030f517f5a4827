#include "coracle/plan/make_launch_plan.h"
#include "coracle/security/seccomp.h"
#include "coracle/spec/config_json.h"
#include "profile/profile_test_data.h"
#include "support/bpf_eval.h"
#include "support/catch.h"
#include "unit/plan/plan_support.h"

#include <fstream>
#include <iterator>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <optional>
#include <string>
#include <vector>

/// From the JSON of a profile to what the kernel would answer: spec, plan and security together.
/// Numbers are those of the kernel's tables of system calls.

using namespace coracle;

namespace {

using Program = std::vector<sock_filter>;
using Args = std::array<std::uint64_t, 6>;

constexpr std::uint32_t x86_64 = AUDIT_ARCH_X86_64;
constexpr std::uint32_t i386 = AUDIT_ARCH_I386;
constexpr std::uint32_t x32 = 0x40000000; ///< a bit of the number, in AUDIT_ARCH_X86_64
constexpr std::uint32_t allow = SECCOMP_RET_ALLOW;
constexpr std::uint32_t killed = SECCOMP_RET_KILL_THREAD;

constexpr std::uint32_t errno_of(std::uint32_t number) {
    return SECCOMP_RET_ERRNO | number;
}

Program compile_config(const std::string& text) {
    const plan::LaunchPlan plan =
        plan::make_launch_plan(spec::parse_config(text), test::rootful(), test::options());
    REQUIRE(plan.seccomp);
    return test::to_program(security::compile_seccomp(*plan.seccomp));
}

Program compile_profile(const std::string& profile) {
    return compile_config(
        R"({"ociVersion":"1.0.0","root":{"path":"rootfs"},"process":{"cwd":"/","args":["x"]},)"
        R"("linux":{"namespaces":[{"type":"mount"}],"seccomp":)" +
        profile + "}}");
}

struct Row {
    const char* name;
    std::uint32_t arch;
    std::uint32_t number;
    Args args;
    std::uint32_t answer;
};

void check_rows(const Program& program, const std::vector<Row>& rows) {
    for (const Row& row : rows) {
        INFO(row.name << ", number " << row.number << " of arch " << std::hex << row.arch);
        CHECK(test::evaluate_bpf(program, row.arch, row.number, row.args) == row.answer);
    }
}

/// What a rule and a default with this action answer: `members` are errnoRet and the like.
std::uint32_t action_of(const std::string& action, const std::string& errno_ret) {
    return test::evaluate_bpf(
        compile_profile(R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["getpid"],)"
                        R"("action":")" +
                        action + "\"" + errno_ret + "}]}"),
        x86_64, 39);
}

std::uint32_t default_of(const std::string& action, const std::string& errno_ret) {
    return test::evaluate_bpf(
        compile_profile(R"({"defaultAction":")" + action + "\"" + errno_ret +
                        R"(,"syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW"}]})"),
        x86_64, 39);
}

} // namespace

TEST_CASE("seccomp profile: podman's answers as it says", "[profile]") {
    std::ifstream file(std::string(profile_data_directory) + "/config-podman.json");
    REQUIRE(file);
    const Program program = compile_config(std::string(std::istreambuf_iterator<char>(file), {}));
    test::require_loadable(program);
    constexpr std::uint32_t by_default = errno_of(ENOSYS);
    constexpr std::uint32_t denied = errno_of(EPERM);
    check_rows(program, {
                            {"read", x86_64, 0, {}, allow},
                            {"read", i386, 3, {}, allow},
                            {"read", x86_64, x32 | 0, {}, allow},
                            {"execve", x86_64, 59, {}, allow},
                            {"execve", i386, 11, {}, allow},
                            {"execve", x86_64, x32 | 520, {}, allow},
                            {"its number without the bit", x86_64, 520, {}, by_default},
                            {"restart_syscall", i386, 0, {}, allow},
                            {"openat2", x86_64, 437, {}, allow},
                            {"openat2", i386, 437, {}, allow},
                            {"openat2", x86_64, x32 | 437, {}, allow},
                            {"kexec_load", x86_64, 246, {}, denied},
                            {"kexec_load", i386, 283, {}, denied},
                            {"kexec_load", x86_64, x32 | 528, {}, denied},
                            {"bpf", x86_64, 321, {}, denied},
                            {"bpf", i386, 357, {}, denied},
                            {"chroot", x86_64, 161, {}, denied},
                            {"stime", i386, 25, {}, denied},
                            {"clock_settime64", i386, 404, {}, denied},
                            {"personality", x86_64, 135, {0}, allow},
                            {"personality", x86_64, 135, {8}, allow},
                            {"personality", x86_64, 135, {131072}, allow},
                            {"personality", x86_64, 135, {131080}, allow},
                            {"personality", x86_64, 135, {0xffffffff}, allow},
                            {"personality", x86_64, 135, {1}, by_default},
                            {"personality", x86_64, 135, {0x100000000}, by_default},
                            {"personality", i386, 136, {8}, allow},
                            {"personality", i386, 136, {9}, by_default},
                            {"personality", x86_64, x32 | 135, {9}, by_default},
                            {"socket of audit", x86_64, 41, {16, 3, 9}, errno_of(EINVAL)},
                            {"socket of route", x86_64, 41, {16, 3, 0}, allow},
                            {"socket of inet", x86_64, 41, {2, 1, 9}, allow},
                            {"socket of audit", i386, 359, {16, 3, 9}, errno_of(EINVAL)},
                            {"socket of audit", x86_64, x32 | 41, {16, 3, 9}, errno_of(EINVAL)},
                            {"one that no kernel has", x86_64, 600, {}, by_default},
                            {"one that no kernel has", i386, 600, {}, by_default},
                            {"one that no kernel has", x86_64, x32 | 600, {}, by_default},
                            {"what a tracer skips", x86_64, UINT32_MAX, {}, by_default},
                            {"another architecture", AUDIT_ARCH_AARCH64, 63, {}, killed},
                            {"another architecture", AUDIT_ARCH_ARM, 3, {}, killed},
                        });
}

TEST_CASE("seccomp profile: what is newer is not implemented, whatever its arguments",
          "[profile]") {
    const Program program = compile_profile(
        R"({"defaultAction":"SCMP_ACT_ERRNO","architectures":["SCMP_ARCH_X86_64","SCMP_ARCH_X86",)"
        R"("SCMP_ARCH_X32"],"syscalls":[{"names":["read","openat2"],"action":"SCMP_ACT_ALLOW"},)"
        R"({"names":["clone"],"action":"SCMP_ACT_ALLOW","args":[)"
        R"({"index":0,"value":2114060288,"op":"SCMP_CMP_MASKED_EQ"}]}]})");
    constexpr std::uint32_t newer = errno_of(ENOSYS);
    constexpr std::uint32_t denied = errno_of(EPERM);
    check_rows(program, {
                            {"openat2", x86_64, 437, {}, allow},
                            {"pidfd_getfd", x86_64, 438, {}, newer},
                            {"pidfd_getfd", i386, 438, {1, 2, 3}, newer},
                            {"pidfd_getfd", x86_64, x32 | 438, {}, newer},
                            {"clone3", x86_64, 435, {}, denied},
                            {"mount", x86_64, 165, {}, denied},
                            {"the last of x32's own", x86_64, x32 | 547, {}, denied},
                            {"clone", x86_64, 56, {0}, allow},
                            {"clone, new pid namespace", x86_64, 56, {0x20000000}, denied},
                            {"clone, a flag above 32 bits", x86_64, 56, {0x100000000}, allow},
                            {"clone", i386, 120, {0x10000000}, denied},
                        });
}

TEST_CASE("seccomp profile: errnoRet is EPERM where it is not said", "[profile]") {
    CHECK(action_of("SCMP_ACT_ERRNO", "") == errno_of(EPERM));
    CHECK(action_of("SCMP_ACT_ERRNO", R"(,"errnoRet":null)") == errno_of(EPERM));
    CHECK(action_of("SCMP_ACT_ERRNO", R"(,"errnoRet":0)") == errno_of(0));
    CHECK(action_of("SCMP_ACT_ERRNO", R"(,"errnoRet":38)") == errno_of(ENOSYS));
    CHECK(action_of("SCMP_ACT_ERRNO", R"(,"errnoRet":4094)") == errno_of(4094));
    CHECK(action_of("SCMP_ACT_TRACE", "") == (SECCOMP_RET_TRACE | EPERM));
    CHECK(action_of("SCMP_ACT_TRACE", R"(,"errnoRet":7)") == (SECCOMP_RET_TRACE | 7U));
    CHECK(action_of("SCMP_ACT_KILL", "") == SECCOMP_RET_KILL_THREAD);
    CHECK(action_of("SCMP_ACT_KILL_THREAD", "") == SECCOMP_RET_KILL_THREAD);
    CHECK(action_of("SCMP_ACT_KILL_PROCESS", "") == SECCOMP_RET_KILL_PROCESS);
    CHECK(action_of("SCMP_ACT_TRAP", "") == SECCOMP_RET_TRAP);
    CHECK(action_of("SCMP_ACT_LOG", "") == SECCOMP_RET_LOG);
}

TEST_CASE("seccomp profile: defaultErrnoRet is EPERM where it is not said", "[profile]") {
    CHECK(default_of("SCMP_ACT_ERRNO", R"(,"defaultErrnoRet":13)") == errno_of(EACCES));
    CHECK(default_of("SCMP_ACT_ERRNO", R"(,"defaultErrnoRet":0)") == errno_of(0));
    CHECK(default_of("SCMP_ACT_TRACE", "") == (SECCOMP_RET_TRACE | EPERM));
    CHECK(default_of("SCMP_ACT_KILL", "") == SECCOMP_RET_KILL_THREAD);
    // Without a number a default of ERRNO is EPERM for what the profile knows: 39 is above "read".
    CHECK(default_of("SCMP_ACT_ERRNO", "") == errno_of(ENOSYS));
    CHECK(test::evaluate_bpf(
              compile_profile(R"({"defaultAction":"SCMP_ACT_ERRNO","syscalls":[)"
                              R"({"names":["read","openat2"],"action":"SCMP_ACT_ALLOW"}]})"),
              x86_64, 39) == errno_of(EPERM));
    // The default's number is not that of rules.
    CHECK(
        test::evaluate_bpf(
            compile_profile(R"({"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":38,"syscalls":[)"
                            R"({"names":["getpid"],"action":"SCMP_ACT_ERRNO"}]})"),
            x86_64, 39) == errno_of(EPERM));
}
