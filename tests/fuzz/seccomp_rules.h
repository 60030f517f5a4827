#pragma once

#include <linux/audit.h>
#include <linux/seccomp.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <optional>
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

// ---- what the profile says

using Args = std::array<std::uint64_t, 6>;

inline bool compares(const Comparison& comparison, const Args& args, std::uint64_t width) {
    const std::uint64_t given = args[comparison.index] & width;
    const std::uint64_t value = comparison.value & width;
    switch (comparison.op) {
    case 0:
        return given == value;
    case 1:
        return given != value;
    case 2:
        return given < value;
    case 3:
        return given <= value;
    case 4:
        return given >= value;
    case 5:
        return given > value;
    default: // the value is the mask
        return (given & value) == (comparison.second & value);
    }
}

inline bool holds(const Rule& rule, const Args& args, std::uint64_t width) {
    for (const Comparison& comparison : rule.comparisons) {
        if (compares(comparison, args, width) == rule.alternatives) {
            return rule.alternatives;
        }
    }
    return !rule.alternatives;
}

/// The architecture that a number belongs to; nothing if no filter is for it.
inline std::optional<std::size_t> arch_of(const Profile& profile, std::uint32_t audit,
                                          std::uint32_t number) {
    const std::uint32_t listed = profile.listed | 1U << native;
    if (audit == AUDIT_ARCH_X86_64 && number >= x32_bit && (listed >> x32 & 1U) != 0) {
        return x32;
    }
    if (audit == AUDIT_ARCH_X86_64 && number >= x32_bit && number != UINT32_MAX) {
        return std::nullopt;
    }
    for (const std::size_t arch : {native, i386, aarch64}) {
        if (archs[arch].audit == audit && (listed >> arch & 1U) != 0) {
            return arch;
        }
    }
    return std::nullopt;
}

/// The number of a call, or `none`.
inline std::uint32_t number_of(std::size_t call, std::size_t arch) {
    const std::uint32_t number = calls[call].numbers[arch];
    return number == none ? none : number | archs[arch].bits;
}

inline std::uint32_t named_calls(const Profile& profile) {
    std::uint32_t named = 0;
    for (const Rule& rule : profile.rules) {
        named |= rule.calls;
    }
    return named;
}

/// Whether a number is above the highest that a rule names.
inline bool is_newer(const Profile& profile, std::size_t arch, std::uint32_t number) {
    std::optional<std::uint32_t> highest;
    const std::uint32_t named = named_calls(profile);
    for (std::size_t call = 0; call < calls.size(); ++call) {
        const std::uint32_t known = number_of(call, arch);
        if ((named >> call & 1U) != 0 && known != none && known < archs[arch].end) {
            highest = std::max(highest.value_or(0), known);
        }
    }
    return profile.default_action == (SECCOMP_RET_ERRNO | EPERM) && highest.has_value() &&
           number > *highest && number < archs[arch].end;
}

/// Whether `answer` may be the answer: where rules of different actions hold, a profile does not
/// say which one counts.
inline bool may_answer(const Profile& profile, std::uint32_t audit, std::uint32_t number,
                       const Args& args, std::uint32_t answer) {
    const std::optional<std::size_t> arch = arch_of(profile, audit, number);
    if (!arch) {
        return answer == SECCOMP_RET_KILL_THREAD;
    }
    const std::uint64_t width = archs[*arch].narrow ? UINT32_MAX : UINT64_MAX;
    std::uint32_t direct = 0; // the calls with this number
    std::uint32_t carried = 0;
    for (std::size_t call = 0; call < calls.size(); ++call) {
        const std::uint64_t selector = calls[call].socketcall;
        direct |= static_cast<std::uint32_t>(number_of(call, *arch) == number) << call;
        carried |= static_cast<std::uint32_t>(*arch == i386 && number == socketcall &&
                                              selector != 0 && (args[0] & width) == selector)
                   << call;
    }
    bool sure = false;
    for (const Rule& rule : profile.rules) {
        // The arguments of a call that another one carries are in memory: no filter looks there.
        const bool through = (rule.calls & carried) != 0;
        const bool matches = through || ((rule.calls & direct) != 0 && holds(rule, args, width));
        if (matches && rule.action == answer) {
            return true;
        }
        sure = sure || (matches && !(through && !rule.comparisons.empty()));
    }
    return !sure && answer == (is_newer(profile, *arch, number) ? SECCOMP_RET_ERRNO | ENOSYS
                                                                : profile.default_action);
}

inline bool must_be_refused(const Profile& profile) {
    for (const Rule& rule : profile.rules) {
        for (const Comparison& comparison : rule.comparisons) {
            if (comparison.index > 5 || comparison.op == no_operator) {
                return true;
            }
        }
    }
    return profile.wrong_arch != nullptr;
}

/// Whether two rules for one call differ in what they do: they may contradict each other.
inline bool may_be_refused(const Profile& profile) {
    for (const Rule& rule : profile.rules) {
        for (const Rule& other : profile.rules) {
            if (rule.action != other.action && (rule.calls & other.calls) != 0) {
                return true;
            }
        }
    }
    return false;
}

} // namespace coracle::test
