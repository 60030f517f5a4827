#include "coracle/base/error.h"
#include "coracle/plan/seccomp.h"
#include "coracle/sandbox/seccomp_profiles.h"
#include "coracle/security/seccomp.h"
#include "coracle/spec/config_json.h"
#include "coracle/spec/config_writer.h"
#include "support/bpf_eval.h"
#include "support/catch.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <map>
#include <memory>
#include <seccomp.h>
#include <set>
#include <string>
#include <vector>

/// What the kernel would answer with the built-in profiles. The numbers of i386 and arm64 are
/// libseccomp's, which are the kernel's.

using namespace coracle;

namespace {

using Program = std::vector<sock_filter>;
using Args = std::array<std::uint64_t, 6>;

constexpr std::uint32_t x86_64 = AUDIT_ARCH_X86_64;
constexpr std::uint32_t i386 = AUDIT_ARCH_I386;
constexpr std::uint32_t arm64 = AUDIT_ARCH_AARCH64;
constexpr std::uint32_t arm = AUDIT_ARCH_ARM;
constexpr std::uint32_t allow = SECCOMP_RET_ALLOW;
constexpr std::uint32_t denied = SECCOMP_RET_ERRNO | EPERM;
constexpr std::uint32_t absent = SECCOMP_RET_ERRNO | ENOSYS;
constexpr std::uint64_t high_bit = 0x100000000;

plan::SeccompPlan make_plan(const spec::Seccomp& seccomp) {
    spec::Config config;
    config.linux_.emplace().seccomp = seccomp;
    return plan::make_seccomp_plan(config);
}

/// With arm64 beside the machine's own, as a machine of that kind would have it.
Program compile(const std::string& text) {
    spec::Seccomp seccomp = sandbox::compose_seccomp(text);
    for (const char* other : {"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"}) {
        seccomp.architectures.emplace_back(other);
    }
    Program program = test::to_program(security::compile_seccomp(make_plan(seccomp)));
    test::require_loadable(program);
    return program;
}

/// Every call that libseccomp knows on one architecture, by name.
std::map<std::string, std::uint32_t> calls_of(std::uint32_t arch) {
    constexpr int highest = 0xf0010; // the private ones of 32-bit arm
    std::map<std::string, std::uint32_t> calls;
    for (int number = 0; number < highest; number = number == 1023 ? 0xf0000 : number + 1) {
        const std::unique_ptr<char, decltype(&std::free)> name(
            seccomp_syscall_resolve_num_arch(arch, number), &std::free);
        if (name) {
            calls.emplace(name.get(), static_cast<std::uint32_t>(number));
        }
    }
    return calls;
}

std::uint32_t answer(const Program& program, const std::string& call, const Args& args = {},
                     std::uint32_t arch = x86_64) {
    static std::map<std::uint32_t, std::map<std::string, std::uint32_t>> known;
    if (known[arch].empty()) {
        known[arch] = calls_of(arch);
    }
    INFO(call);
    REQUIRE(known[arch].count(call) == 1);
    return test::evaluate_bpf(program, arch, known[arch][call], args);
}

/// What Docker's default profile refuses to a process without capabilities, whatever the arguments.
/// Source: moby/profiles seccomp/default.json, June 2026.
const std::vector<const char*> refused_by_docker{
    "acct",
    "add_key",
    "bpf",
    "chroot",
    "clock_settime",
    "delete_module",
    "fanotify_init",
    "finit_module",
    "fsconfig",
    "fsmount",
    "fsopen",
    "fspick",
    "get_mempolicy",
    "init_module",
    "io_uring_enter",
    "io_uring_register",
    "io_uring_setup",
    "ioperm",
    "iopl",
    "kcmp",
    "kexec_file_load",
    "kexec_load",
    "keyctl",
    "lookup_dcookie",
    "mbind",
    "migrate_pages",
    "mount",
    "mount_setattr",
    "move_mount",
    "move_pages",
    "nfsservctl",
    "open_by_handle_at",
    "open_tree",
    "perf_event_open",
    "pidfd_getfd",
    "pivot_root",
    "process_madvise",
    "quotactl",
    "quotactl_fd",
    "reboot",
    "request_key",
    "set_mempolicy",
    "set_mempolicy_home_node",
    "setdomainname",
    "sethostname",
    "setns",
    "settimeofday",
    "swapoff",
    "swapon",
    "sysfs",
    "syslog",
    "umount2",
    "unshare",
    "uselib",
    "userfaultfd",
    "ustat",
    "vhangup",
};
/// No Linux has them.
const std::set<std::string> dead{
    "_sysctl", "afs_syscall",  "create_module", "get_kernel_syms", "getpmsg",
    "putpmsg", "query_module", "security",      "tuxcall",         "vserver",
};

} // namespace

TEST_CASE("built-in seccomp: default refuses what Docker refuses, and nothing else", "[profile]") {
    const Program program = compile("default");
    std::set<std::string> refused(refused_by_docker.begin(), refused_by_docker.end());
    for (const std::string& call : refused) {
        INFO(call);
        CHECK(answer(program, call) == denied);
    }
    refused.insert(dead.begin(), dead.end());
    refused.insert({"clone3", "socket", "ioctl", "timerfd", "epoll_ctl_old", "epoll_wait_old"});
    for (const auto& [call, number] : calls_of(x86_64)) {
        INFO(call);
        CHECK((answer(program, call) == allow ||
               (refused.count(call) != 0 && call != "epoll_ctl_old" && call != "epoll_wait_old")));
    }
}

TEST_CASE("built-in seccomp: every call that libseccomp knows is allowed or refused by name",
          "[profile]") {
    std::set<std::string> named;
    for (const spec::SeccompSyscall& rule : sandbox::compose_seccomp("default").syscalls) {
        named.insert(rule.names.begin(), rule.names.end());
    }
    for (std::uint32_t arch : {x86_64, i386, arm64, arm}) {
        for (const auto& [call, number] : calls_of(arch)) {
            INFO(call);
            CHECK(named.count(call) == 1);
        }
    }
}

TEST_CASE("built-in seccomp: no new namespace by clone", "[profile]") {
    for (const char* text : {"default", "strict"}) {
        const Program program = compile(text);
        for (std::uint32_t arch : {x86_64, i386, arm64, arm}) {
            if (arch == i386 && std::string(text) == "strict") {
                continue; // not one of its architectures
            }
            CHECK(answer(program, "clone", {0x3d0f00}, arch) == allow); // of pthread_create
            CHECK(answer(program, "clone", {0x4111}, arch) == allow);   // of vfork
            for (std::uint64_t flag : {0x20000U, 0x2000000U, 0x4000000U, 0x8000000U, 0x10000000U,
                                       0x20000000U, 0x40000000U}) {
                CHECK(answer(program, "clone", {flag | 17}, arch) == denied);
                CHECK(answer(program, "clone", {flag | 0x3d0f00}, arch) == denied);
            }
            CHECK(answer(program, "clone3", {}, arch) == absent);
            CHECK(answer(program, "unshare", {0x10000000}, arch) == denied);
        }
        CHECK(answer(program, "clone", {high_bit | 0x10000000}) == denied);
    }
}

TEST_CASE("built-in seccomp: TIOCSTI and TIOCLINUX are refused whatever stands above 32 bits",
          "[profile]") {
    for (const char* text : {"default", "strict"}) {
        const Program program = compile(text);
        for (std::uint64_t request : {0x5412U, 0x541cU}) {
            CHECK(answer(program, "ioctl", {0, request}) == denied);
            CHECK(answer(program, "ioctl", {0, high_bit | request}) == denied);
            CHECK(answer(program, "ioctl", {0, ~std::uint64_t{0} << 32U | request}) == denied);
            CHECK(answer(program, "ioctl", {0, high_bit | request}, arm64) == denied);
        }
        // Every other one: a bit away, and all that are near.
        for (unsigned bit = 0; bit < 32; ++bit) {
            CHECK(answer(program, "ioctl", {0, 0x5412U ^ (1U << bit)}) == allow);
            CHECK(answer(program, "ioctl", {0, 0x541cU ^ (1U << bit)}) == allow);
        }
        for (std::uint64_t request = 0; request < 0x10000; ++request) {
            const bool refused = request == 0x5412 || request == 0x541c;
            CHECK(answer(program, "ioctl", {0, request}) == (refused ? denied : allow));
        }
        CHECK(answer(program, "ioctl", {0, 0xc0045412}) == allow);
    }
    CHECK(answer(compile("default"), "ioctl", {0, 0x5412}, i386) == denied);
    CHECK(answer(compile("default"), "ioctl", {0, 0x5413}, i386) == allow);
}

TEST_CASE("built-in seccomp: sockets of default", "[profile]") {
    const Program program = compile("default");
    for (std::uint32_t arch : {x86_64, i386, arm64, arm}) {
        for (std::uint64_t family = 0; family < 64; ++family) {
            const bool refused = family == 33 || family == 38 || family == 40 || family >= 46;
            INFO("family " << family << " of arch " << std::hex << arch);
            CHECK(answer(program, "socket", {family, 2, 0}, arch) == (refused ? denied : allow));
        }
        for (std::uint64_t protocol = 0; protocol < 40; ++protocol) {
            INFO("netlink protocol " << protocol);
            CHECK(answer(program, "socket", {16, 3, protocol}, arch) ==
                  (protocol == 6 || protocol >= 32 ? denied : allow));
        }
    }
    // The kernel drops what stands above 32 bits.
    CHECK(answer(program, "socket", {high_bit | 38, 5, 0}) == denied);
    CHECK(answer(program, "socket", {16, 3, high_bit | 6}) == denied);
    CHECK(answer(program, "socket", {high_bit | 16, 3, 6}) == denied);
    // Behind socketcall a filter does not see the family.
    for (std::uint64_t call = 0; call < 24; ++call) {
        CHECK(answer(program, "socketcall", {call, 4096, 6}, i386) == absent);
    }
    CHECK(answer(program, "connect", {}, i386) == allow);
    CHECK(answer(compile("+socketcall"), "socketcall", {1}, i386) == allow);
    CHECK(answer(compile("+socket"), "socket", {38, 5}) == allow);
}

TEST_CASE("built-in seccomp: strict has three families, and less of much", "[profile]") {
    const Program strict = compile("strict");
    for (std::uint64_t family = 0; family < 64; ++family) {
        const bool allowed = family == 1 || family == 2 || family == 10;
        CHECK(answer(strict, "socket", {family, 1, 0}) == (allowed ? allow : denied));
    }
    for (const char* call : {"ptrace",         "process_vm_readv", "process_vm_writev",
                             "io_uring_setup", "perf_event_open",  "userfaultfd",
                             "keyctl",         "add_key",          "request_key",
                             "mount",          "fsopen",           "open_tree",
                             "move_mount",     "mount_setattr",    "personality",
                             "modify_ldt",     "mknodat",          "name_to_handle_at",
                             "adjtimex",       "pidfd_getfd",      "kcmp"}) {
        INFO(call);
        CHECK(answer(strict, call) == denied);
    }
    for (const char* call :
         {"read", "openat", "execve", "mmap", "clone", "futex", "epoll_wait", "prlimit64",
          "landlock_restrict_self", "seccomp", "splice", "io_submit"}) {
        INFO(call);
        CHECK(answer(strict, call) == allow);
    }
    CHECK(test::evaluate_bpf(strict, i386, 3) == SECCOMP_RET_KILL_THREAD);
    const Program normal = compile("default");
    for (const auto& [call, number] : calls_of(x86_64)) {
        INFO(call); // nothing that default refuses
        CHECK((answer(strict, call) != allow || answer(normal, call) == allow));
    }
}

TEST_CASE("built-in seccomp: personality", "[profile]") {
    const Program program = compile("default");
    for (std::uint64_t value : {0x0U, 0x8U, 0x20000U, 0x20008U, 0xffffffffU}) {
        CHECK(answer(program, "personality", {value}) == allow);
        CHECK(answer(program, "personality", {value}, i386) == allow);
    }
    for (std::uint64_t value : {0x40000U, 0x400000U, 0x1U, 0xfffffffeU}) {
        CHECK(answer(program, "personality", {value}) == denied);
    }
    CHECK(answer(program, "personality", {high_bit | 0x40000}) == denied);
}

TEST_CASE("built-in seccomp: words change it one after the other", "[profile]") {
    const Program changed = compile("default,+@mount,-ptrace,+perf_event_open,-umount2,+ioctl");
    CHECK(answer(changed, "mount") == allow);
    CHECK(answer(changed, "fsopen") == allow);
    CHECK(answer(changed, "umount2") == denied);
    CHECK(answer(changed, "ptrace") == denied);
    CHECK(answer(changed, "perf_event_open") == allow);
    CHECK(answer(changed, "ioctl", {0, 0x5412}) == allow);
    CHECK(answer(changed, "bpf") == denied);
    CHECK(answer(compile("+@mount"), "mount") == allow); // of default
    CHECK(answer(compile("-clone"), "clone", {17}) == denied);
    CHECK(answer(compile("+unshare,+clone3"), "clone3") == allow);
    CHECK(answer(compile("-ptrace,+@debug"), "ptrace") == allow);
    // The newest that libseccomp knows is refused, and not newer than the profile.
    CHECK(answer(compile("-set_mempolicy_home_node"), "set_mempolicy_home_node") == denied);
    const Program none = compile("none,-@mount");
    CHECK(answer(none, "mount") == denied);
    CHECK(answer(none, "bpf") == allow);
    CHECK(answer(none, "mount", {}, i386) == denied);
    CHECK(test::evaluate_bpf(none, x86_64, 0x40000000U + 165) == denied);
    CHECK(sandbox::compose_seccomp("none").syscalls.empty());
}

TEST_CASE("built-in seccomp: what is newer is not implemented", "[profile]") {
    CHECK(test::evaluate_bpf(compile("default"), x86_64, 600) == absent);
    CHECK(test::evaluate_bpf(compile("strict"), x86_64, 600) == absent);
}

TEST_CASE("built-in seccomp: an answer is that of the filter, and its rule the reason",
          "[profile]") {
    for (const char* text : {"default", "strict", "none,-@mount", "+socket,-bpf"}) {
        const plan::SeccompPlan seccomp = make_plan(sandbox::compose_seccomp(text));
        const std::vector<std::uint8_t> bytes = security::compile_seccomp(seccomp);
        const Program program = test::to_program(bytes);
        for (const auto& [call, number] : calls_of(x86_64)) {
            std::optional<security::SystemCall> found = security::find_system_call(call);
            REQUIRE(found);
            CHECK(security::describe_system_call(*found) == call);
            for (const Args& args : {Args{}, Args{38}, Args{16, 3, 6}, Args{0, high_bit | 0x5412},
                                     Args{0x10000000}, Args{8, 2, 3, 4, 5, 6}}) {
                INFO(text << ": " << call << " " << args[0] << " " << args[1]);
                found->arguments = args;
                const std::uint32_t answered = security::answer_of(bytes, *found);
                CHECK(answered == test::evaluate_bpf(program, x86_64, number, args));
                const std::optional<std::size_t> rule = plan::find_rule(seccomp, call, args);
                CHECK(answered == (rule ? seccomp.rules[*rule].action : seccomp.default_action));
            }
        }
    }
}

TEST_CASE("built-in seccomp: what explain listens to is what is refused", "[profile]") {
    const plan::SeccompPlan original = make_plan(sandbox::compose_seccomp("default"));
    const plan::SeccompPlan explained = plan::make_explained(original);
    CHECK((explained.filter_flags & SECCOMP_FILTER_FLAG_NEW_LISTENER) != 0);
    const Program before = test::to_program(security::compile_seccomp(original));
    const Program after = test::to_program(security::compile_seccomp(explained));
    const std::set<std::string> of_init{"execve", "wait4", "write", "exit_group"};
    for (std::uint32_t arch : {x86_64, i386}) {
        for (const auto& [call, number] : calls_of(arch)) {
            for (const Args& args : {Args{}, Args{38}, Args{0, 0x5412}, Args{0x10000000}}) {
                INFO(call);
                const std::uint32_t was = answer(before, call, args, arch);
                const std::uint32_t is = answer(after, call, args, arch);
                CHECK(is == (was == allow ? allow : SECCOMP_RET_USER_NOTIF));
                CHECK((of_init.count(call) == 0 || is == was));
            }
        }
    }
}

TEST_CASE("built-in seccomp: explain leaves traps and init's own calls", "[profile]") {
    plan::SeccompPlan seccomp;
    seccomp.default_action = SECCOMP_RET_KILL_PROCESS;
    seccomp.rules = {{{"getpid"}, SECCOMP_RET_ALLOW, {}},
                     {{"getcpu"}, SECCOMP_RET_TRAP, {}},
                     {{"write", "mount"}, SECCOMP_RET_ERRNO | EIO, {}},
                     {{"wait4"}, SECCOMP_RET_ALLOW, {{0, "SCMP_CMP_EQ", 7, 0}}}};
    const Program program =
        test::to_program(security::compile_seccomp(plan::make_explained(seccomp)));
    CHECK(answer(program, "getpid") == allow);
    CHECK(answer(program, "getcpu") == SECCOMP_RET_TRAP);
    CHECK(answer(program, "write") == (SECCOMP_RET_ERRNO | EIO));
    CHECK(answer(program, "mount") == SECCOMP_RET_USER_NOTIF);
    CHECK(answer(program, "read") == SECCOMP_RET_USER_NOTIF);
    CHECK(answer(program, "execve") == SECCOMP_RET_KILL_PROCESS);
    CHECK(answer(program, "wait4", {7}) == allow);
    CHECK(answer(program, "wait4", {8}) == denied); // init survives it
}

TEST_CASE("built-in seccomp: a document is read back as it was", "[profile]") {
    for (const char* text : {"default", "strict", "none,-ptrace"}) {
        const spec::Seccomp seccomp = sandbox::compose_seccomp(text);
        const std::string document = spec::write_seccomp_document(seccomp);
        const spec::Seccomp again = spec::parse_seccomp_document(document);
        CHECK(spec::write_seccomp_document(again) == document);
        CHECK(security::compile_seccomp(make_plan(again)) ==
              security::compile_seccomp(make_plan(seccomp)));
        const spec::Seccomp within = spec::parse_seccomp_document(
            R"({"ociVersion":"1.0.0","linux":{"seccomp":)" + document + "}}");
        CHECK(spec::write_seccomp_document(within) == document);
    }
}
