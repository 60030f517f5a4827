#pragma once

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <vector>

/// A seccomp profile, and what it says about a system call, its rules read one by one.
/// Source of the numbers: the kernel's tables of system calls.
namespace coracle::test {

constexpr std::uint32_t x32_bit = 0x40000000;
constexpr std::uint32_t none = UINT32_MAX - 1;

struct Arch {
    const char* name;
    std::uint32_t audit;
    std::uint32_t bits; ///< set in each number
    std::uint32_t end;  ///< above the last number that can be newer than the profile
    bool narrow;        ///< arguments have 32 bits
};
constexpr std::array<Arch, 4> archs = {{
    {"SCMP_ARCH_X86_64", AUDIT_ARCH_X86_64, 0, x32_bit, false},
    {"SCMP_ARCH_X86", AUDIT_ARCH_I386, 0, UINT32_MAX, true},
    {"SCMP_ARCH_X32", AUDIT_ARCH_X86_64, x32_bit, x32_bit + 512, true},
    {"SCMP_ARCH_AARCH64", AUDIT_ARCH_AARCH64, 0, UINT32_MAX, false},
}};
constexpr std::size_t native = 0;
constexpr std::size_t i386 = 1;
constexpr std::size_t x32 = 2;
constexpr std::size_t aarch64 = 3;

struct Call {
    const char* name;
    std::array<std::uint32_t, archs.size()> numbers; ///< in the order of `archs`, without `bits`
    std::uint64_t socketcall;                        ///< its first argument on i386; 0: another way
};
constexpr std::uint32_t socketcall = 102;
constexpr std::array<Call, 20> calls = {{
    {"personality", {135, 136, 135, 92}, 0},
    {"mount", {165, 21, 165, 40}, 0},
    {"clone3", {435, 435, 435, 435}, 0},
    {"openat2", {437, 437, 437, 437}, 0},
    {"read", {0, 3, 0, 63}, 0},
    {"execve", {59, 11, 520, 221}, 0},
    {"keyctl", {250, 288, 250, 219}, 0},
    {"swapon", {167, 87, 167, 224}, 0},
    {"renameat2", {316, 353, 316, 276}, 0},
    {"ptrace", {101, 26, 521, 117}, 0},
    {"umount2", {166, 52, 166, 39}, 0},
    {"stat", {4, 106, 4, none}, 0},
    {"time", {201, 13, 201, none}, 0},
    {"kexec_load", {246, 283, 528, 104}, 0},
    {"chown32", {none, 212, none, none}, 0},
    {"mmap2", {none, 192, none, none}, 0},
    {"socket", {41, 359, 41, 198}, 1},
    {"connect", {42, 362, 42, 203}, 3},
    {"no_such", {none, none, none, none}, 0},
    {"futex_waitv", {449, 449, 449, 449}, 0},
}};

constexpr std::array<std::uint32_t, 8> actions = {
    SECCOMP_RET_ERRNO | EPERM,  SECCOMP_RET_ALLOW,       SECCOMP_RET_ERRNO | EACCES,
    SECCOMP_RET_KILL_PROCESS,   SECCOMP_RET_TRAP,        SECCOMP_RET_LOG,
    SECCOMP_RET_TRACE | EACCES, SECCOMP_RET_KILL_THREAD,
};
constexpr std::array<const char*, 8> operators = {
    "SCMP_CMP_EQ", "SCMP_CMP_NE", "SCMP_CMP_LT",        "SCMP_CMP_LE",
    "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_MASKED_EQ", "SCMP_CMP_ODD",
};
constexpr unsigned masked_equal = 6;
constexpr unsigned no_operator = 7;
constexpr std::array<std::uint64_t, 8> values = {
    0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 0xffffffff00000000, UINT64_MAX,
};

struct Comparison {
    unsigned index;
    unsigned op; ///< in `operators`
    std::uint64_t value;
    std::uint64_t second;
};

struct Rule {
    std::uint32_t calls = 0; ///< a bit for each of `calls`
    std::uint32_t action = 0;
    std::vector<Comparison> comparisons;
    /// One comparison is enough: an argument is compared twice.
    bool alternatives = false;
};

struct Profile {
    std::uint32_t default_action = 0;
    std::uint32_t listed = 0; ///< a bit for each of `archs`
    const char* wrong_arch = nullptr;
    std::vector<Rule> rules;
};

using Args = std::array<std::uint64_t, 6>;

/// The number of a call, or `none`.
inline std::uint32_t number_of(std::size_t call, std::size_t arch) {
    const std::uint32_t number = calls[call].numbers[arch];
    return number == none ? none : number | archs[arch].bits;
}

/// What the rules say of the filter `program`: ends the process, and prints the profile, where the
/// filter answers otherwise.
void check_answers(const Profile& profile, const std::vector<sock_filter>& program);

[[nodiscard]] bool must_be_refused(const Profile& profile);

/// Whether two rules for one call differ in what they do: they may contradict each other.
[[nodiscard]] bool may_be_refused(const Profile& profile);

} // namespace coracle::test
