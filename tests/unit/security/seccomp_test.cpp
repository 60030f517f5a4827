#include "coracle/security/seccomp.h"

#include "coracle/base/error.h"
#include "support/bpf_eval.h"
#include "support/catch.h"
#include "support/forked.h"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

namespace {

using coracle::Error;
using coracle::ErrorKind;
using coracle::plan::SeccompPlan;
using coracle::plan::SeccompRule;
using coracle::security::compile_seccomp;
using coracle::test::evaluate_bpf;
using coracle::test::run_forked;
using coracle::test::to_program;

using Program = std::vector<sock_filter>;
using Names = std::vector<std::string>;

constexpr std::uint32_t x32_bit = 0x40000000;
constexpr std::uint32_t x86_64 = AUDIT_ARCH_X86_64;
constexpr std::uint32_t i386 = AUDIT_ARCH_I386;
constexpr std::uint32_t allow = SECCOMP_RET_ALLOW;
constexpr std::uint32_t killed = SECCOMP_RET_KILL_THREAD;
constexpr std::uint32_t denied = SECCOMP_RET_ERRNO | EPERM;
constexpr std::uint32_t enosys = SECCOMP_RET_ERRNO | ENOSYS;

const Names three_architectures = {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"};

/// Calls that a container needs, as engines' default profiles list them.
const Names many_names = {"accept",       "accept4",        "access",         "bind",
                          "brk",          "capget",         "capset",         "chdir",
                          "chmod",        "chown",          "chown32",        "clock_gettime",
                          "clone",        "close",          "connect",        "dup",
                          "dup2",         "epoll_create1",  "epoll_ctl",      "epoll_wait",
                          "execve",       "exit",           "exit_group",     "faccessat2",
                          "fchmod",       "fcntl",          "fcntl64",        "fork",
                          "fstat",        "futex",          "getcwd",         "getpid",
                          "getrandom",    "getsockopt",     "ioctl",          "ipc",
                          "kill",         "lseek",          "mmap",           "mmap2",
                          "mprotect",     "munmap",         "nanosleep",      "newfstatat",
                          "open",         "openat",         "pipe2",          "poll",
                          "pread64",      "prlimit64",      "read",           "recvmsg",
                          "rt_sigaction", "rt_sigreturn",   "sendmsg",        "semop",
                          "set_tls",      "shmget",         "sigreturn",      "socket",
                          "socketcall",   "stat",           "statx",          "uname",
                          "wait4",        "write",          "writev",         "clone3",
                          "close_range",  "openat2",        "not_a_call_yet", "pidfd_open",
                          "rseq",         "set_robust_list"};

SeccompPlan make_plan(std::uint32_t default_action, const Names& names, std::uint32_t action,
                      const Names& architectures = three_architectures) {
    SeccompPlan plan;
    plan.default_action = default_action;
    plan.architectures = architectures;
    plan.rules = {SeccompRule{names, action, {}}};
    return plan;
}

Program compile(const SeccompPlan& plan) {
    return to_program(compile_seccomp(plan));
}

void check_error(const SeccompPlan& plan, ErrorKind kind, const std::string& part) {
    CAPTURE(part);
    try {
        static_cast<void>(compile_seccomp(plan));
        FAIL_CHECK("no error");
    } catch (const Error& error) { // catch: the test's subject
        CHECK(error.kind() == kind);
        CHECK_THAT(error.text(), Catch::Contains(part));
    }
}

TEST_CASE("seccomp: the default action is for what no rule names", "[security]") {
    const Program deny = compile(make_plan(SECCOMP_RET_ERRNO | 77, {"read"}, allow));
    CHECK(evaluate_bpf(deny, x86_64, 0) == allow);
    CHECK(evaluate_bpf(deny, x86_64, 1) == (SECCOMP_RET_ERRNO | 77));
    const Program permit = compile(make_plan(allow, {"write"}, SECCOMP_RET_ERRNO | 13));
    CHECK(evaluate_bpf(permit, x86_64, 0) == allow);
    CHECK(evaluate_bpf(permit, x86_64, 1) == (SECCOMP_RET_ERRNO | 13));
    CHECK(evaluate_bpf(permit, x86_64, 2000) == allow);
}

TEST_CASE("seccomp: every action is what the filter returns", "[security]") {
    const std::vector<std::uint32_t> actions = {
        SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD, SECCOMP_RET_TRAP, SECCOMP_RET_ERRNO | 38,
        SECCOMP_RET_USER_NOTIF,   SECCOMP_RET_TRACE | 9,   SECCOMP_RET_LOG,
    };
    for (const std::uint32_t action : actions) {
        CAPTURE(action);
        const Program rule = compile(make_plan(allow, {"getpid"}, action));
        CHECK(evaluate_bpf(rule, x86_64, 39) == action);
        CHECK(evaluate_bpf(rule, x86_64, 40) == allow);
        const Program fallback = compile(make_plan(action, {"getpid"}, allow));
        CHECK(evaluate_bpf(fallback, x86_64, 39) == allow);
        CHECK(evaluate_bpf(fallback, x86_64, 38) == action);
    }
}

TEST_CASE("seccomp: a rule that does the default is no rule", "[security]") {
    SeccompPlan plan = make_plan(denied, {"read", "mount"}, denied);
    plan.rules.push_back(SeccompRule{{"write"}, allow, {}});
    const Program program = compile(plan);
    CHECK(evaluate_bpf(program, x86_64, 0) == denied);
    CHECK(evaluate_bpf(program, x86_64, 1) == allow);
    // No rule remains: the default action must, whatever the number of rules left out.
    const Program nothing = compile(make_plan(allow, many_names, allow));
    CHECK(evaluate_bpf(nothing, x86_64, 0) == allow);
    CHECK(evaluate_bpf(nothing, i386, 4) == allow);
}

TEST_CASE("seccomp: each architecture has its own numbers, others are killed", "[security]") {
    const Program program = compile(make_plan(denied, {"read", "ioctl"}, allow));
    CHECK(evaluate_bpf(program, x86_64, 0) == allow);
    CHECK(evaluate_bpf(program, x86_64, 3) == denied);
    CHECK(evaluate_bpf(program, i386, 3) == allow);
    CHECK(evaluate_bpf(program, i386, 0) == denied);
    CHECK(evaluate_bpf(program, x86_64, x32_bit | 0) == allow);
    CHECK(evaluate_bpf(program, x86_64, x32_bit | 514) == allow);
    CHECK(evaluate_bpf(program, x86_64, x32_bit | 513) == denied);
    CHECK(evaluate_bpf(program, AUDIT_ARCH_AARCH64, 63) == killed);
}

TEST_CASE("seccomp: what is not listed is killed, x32 on x86-64 too", "[security]") {
    const Program program =
        compile(make_plan(SECCOMP_RET_ERRNO | EACCES, {"read"}, allow, {"SCMP_ARCH_X86_64"}));
    CHECK(evaluate_bpf(program, x86_64, 0) == allow);
    CHECK(evaluate_bpf(program, x86_64, x32_bit | 0) == killed);
    CHECK(evaluate_bpf(program, i386, 3) == killed);
}

TEST_CASE("seccomp: the native architecture needs no mention", "[security]") {
    const Program implied = compile(make_plan(denied, {"read"}, allow, {}));
    const Program other = compile(make_plan(denied, {"read"}, allow, {"SCMP_ARCH_ARM"}));
    const Program twice =
        compile(make_plan(denied, {"read"}, allow, {"SCMP_ARCH_ARM", "SCMP_ARCH_ARM"}));
#if defined(__x86_64__)
    const std::uint32_t native = AUDIT_ARCH_X86_64;
#else
    const std::uint32_t native = AUDIT_ARCH_AARCH64;
#endif
    CHECK(evaluate_bpf(implied, native, SYS_read) == allow);
    CHECK(evaluate_bpf(implied, AUDIT_ARCH_ARM, 3) == killed);
    CHECK(evaluate_bpf(other, native, SYS_read) == allow);
    CHECK(evaluate_bpf(other, AUDIT_ARCH_ARM, 3) == allow);
    CHECK(twice.size() == other.size());
}

TEST_CASE("seccomp: names that an architecture lacks are left out there", "[security]") {
    const Program program =
        compile(make_plan(SECCOMP_RET_ERRNO | EACCES, {"chown32", "nonsense_call", "arch_prctl"},
                          allow, {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86"}));
    CHECK(evaluate_bpf(program, i386, 212) == allow);
    CHECK(evaluate_bpf(program, x86_64, 212) == (SECCOMP_RET_ERRNO | EACCES));
    CHECK(evaluate_bpf(program, x86_64, 158) == allow);
}

TEST_CASE("seccomp: calls newer than the profile are not implemented", "[security]") {
    const Program program = compile(make_plan(denied, {"read", "statx", "clone3"}, allow));
    CHECK(evaluate_bpf(program, x86_64, 434) == denied);
    CHECK(evaluate_bpf(program, x86_64, 435) == allow);
    CHECK(evaluate_bpf(program, x86_64, 436) == enosys);
    CHECK(evaluate_bpf(program, x86_64, 600) == enosys);
    CHECK(evaluate_bpf(program, i386, 434) == denied);
    CHECK(evaluate_bpf(program, i386, 436) == enosys);
    CHECK(evaluate_bpf(program, x86_64, x32_bit | 434) == denied);
    CHECK(evaluate_bpf(program, x86_64, x32_bit | 435) == allow);
    CHECK(evaluate_bpf(program, x86_64, x32_bit | 436) == enosys);
    // x32's own numbers are not newer than its shared ones.
    CHECK(evaluate_bpf(program, x86_64, x32_bit | 514) == denied);
    // The number of a call that a tracer skips.
    CHECK(evaluate_bpf(program, x86_64, UINT32_MAX) == denied);
}

TEST_CASE("seccomp: a rule that denies makes a call known as well", "[security]") {
    SeccompPlan plan = make_plan(denied, {"read"}, allow);
    plan.rules.push_back(SeccompRule{{"openat2"}, denied, {}});
    const Program program = compile(plan);
    CHECK(evaluate_bpf(program, x86_64, 437) == denied);
    CHECK(evaluate_bpf(program, x86_64, 438) == enosys);
}

TEST_CASE("seccomp: x32 numbers are not newer where x32 is not listed", "[security]") {
    const Program program = compile(make_plan(denied, {"read"}, allow, {"SCMP_ARCH_X86_64"}));
    CHECK(evaluate_bpf(program, x86_64, 1) == enosys);
    CHECK(evaluate_bpf(program, x86_64, x32_bit | 1) == killed);
}

TEST_CASE("seccomp: only a default of EPERM is taken as ignorance", "[security]") {
    for (const std::uint32_t action :
         {std::uint32_t{SECCOMP_RET_ERRNO | EACCES}, std::uint32_t{SECCOMP_RET_KILL_PROCESS},
          std::uint32_t{SECCOMP_RET_LOG}}) {
        CAPTURE(action);
        CHECK(evaluate_bpf(compile(make_plan(action, {"read"}, allow)), x86_64, 600) == action);
    }
}

TEST_CASE("seccomp: multiplexed calls are allowed both ways on x86", "[security]") {
    // The direct number, 359, is above every other that this profile names.
    const Program program = compile(make_plan(denied, {"read", "socket"}, allow));
    CHECK(evaluate_bpf(program, i386, 359) == allow);
    CHECK(evaluate_bpf(program, i386, 102, {1}) == allow);
    CHECK(evaluate_bpf(program, i386, 102, {2}) == denied);
    CHECK(evaluate_bpf(program, i386, 360) == enosys);
    CHECK(evaluate_bpf(program, x86_64, 41) == allow);
}

TEST_CASE("seccomp: a large profile answers as its parts do", "[security]") {
    const std::uint32_t otherwise = SECCOMP_RET_ERRNO | EACCES;
    const Program whole = compile(make_plan(otherwise, many_names, allow));
    std::vector<Program> parts;
    for (std::size_t i = 0; i < many_names.size(); i += 10) {
        const std::size_t end = std::min(i + 10, many_names.size());
        const Names names(many_names.begin() + static_cast<std::ptrdiff_t>(i),
                          many_names.begin() + static_cast<std::ptrdiff_t>(end));
        parts.push_back(compile(make_plan(otherwise, names, allow)));
    }
    const std::vector<std::pair<std::uint32_t, std::uint32_t>> starts = {
        {x86_64, 0}, {i386, 0}, {x86_64, x32_bit}};
    int allowed_count = 0;
    for (const auto& [arch, first] : starts) {
        for (std::uint32_t nr = first; nr < first + 700; ++nr) {
            const bool allowed =
                std::any_of(parts.begin(), parts.end(), [arch = arch, nr](const Program& part) {
                    return evaluate_bpf(part, arch, nr, {17}) == allow;
                });
            allowed_count += allowed ? 1 : 0;
            if (evaluate_bpf(whole, arch, nr, {17}) != (allowed ? allow : otherwise)) {
                FAIL_CHECK("arch " << arch << " number " << nr << " differs");
            }
        }
    }
    CHECK(allowed_count > 150);
}

TEST_CASE("seccomp: what cannot be compiled is named", "[security]") {
    check_error(make_plan(denied, {"read"}, 0x12340000), ErrorKind::invalid_config,
                "linux.seccomp.syscalls[0]: action");
    check_error(make_plan(0x12340000, {"read"}, allow), ErrorKind::invalid_config,
                "linux.seccomp.defaultAction: action");
    check_error(make_plan(denied, {"read"}, allow, {"SCMP_ARCH_NONSENSE"}), ErrorKind::unsupported,
                "does not know 'SCMP_ARCH_NONSENSE'");
    check_error(make_plan(denied, {"read"}, allow, {"SCMP_ARCH_PPC64"}), ErrorKind::invalid_config,
                "SCMP_ARCH_PPC64 has not the byte order");
    SeccompPlan plan = make_plan(denied, {"write"}, allow);
    plan.rules[0].args = {{0, "SCMP_CMP_NEAR", 1, 0}};
    check_error(plan, ErrorKind::invalid_config, "operator 'SCMP_CMP_NEAR'");
    plan.rules[0].args = {{6, "SCMP_CMP_EQ", 1, 0}};
    check_error(plan, ErrorKind::invalid_config, "argument index 6");
    plan.rules[0].args = {{0, "SCMP_CMP_EQ", 1, 0}};
    plan.rules.push_back(SeccompRule{{"write"}, SECCOMP_RET_TRAP, plan.rules[0].args});
    check_error(plan, ErrorKind::invalid_config, "linux.seccomp.syscalls[1]: 'write'");
}

TEST_CASE("seccomp: a filter above the kernel's limit is refused here", "[security]") {
    SeccompPlan plan = make_plan(denied, {"read"}, allow, {});
    for (std::uint64_t value = 0; value < 1500; ++value) {
        plan.rules.push_back(
            SeccompRule{{"write"}, allow, {{0, "SCMP_CMP_EQ", (value << 32) | value, 0}}});
    }
    check_error(plan, ErrorKind::unsupported, "the kernel takes 4096");
}

TEST_CASE("seccomp: the kernel loads the filter and obeys", "[security]") {
    Names names = many_names;
    names.erase(std::remove(names.begin(), names.end(), "getpid"), names.end());
    SeccompPlan plan = make_plan(denied, names, allow, {});
    plan.rules.push_back(SeccompRule{{"getppid"}, SECCOMP_RET_ERRNO | 77, {}});
    const std::vector<std::uint8_t> bytes = compile_seccomp(plan);
    const std::string result = run_forked([&bytes]() -> std::string {
        Program program = to_program(bytes);
        const sock_fprog filter = {static_cast<unsigned short>(program.size()), program.data()};
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
            syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) != 0) {
            return "refused";
        }
        std::string errors;
        for (const long number : {long{SYS_getppid}, long{SYS_getpid}, 4000L, long{SYS_uname}}) {
            errno = 0;
            syscall(number, 0);
            errors += std::to_string(errno) + " ";
        }
        return errors;
    });
    CHECK(result == "77 " + std::to_string(EPERM) + " " + std::to_string(ENOSYS) + " " +
                        std::to_string(EFAULT) + " ");
}

TEST_CASE("seccomp: the version of libseccomp has three parts", "[security]") {
    const std::string version = coracle::security::libseccomp_version();
    CHECK(std::count(version.begin(), version.end(), '.') == 2);
    CHECK(version[0] == '2');
}

} // namespace
