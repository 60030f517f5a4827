#include "coracle/spec/seccomp_names.h"

#include <array>
#include <linux/audit.h>
#include <linux/seccomp.h>

namespace coracle::spec {

namespace {

struct Name {
    std::string_view name;
    std::uint32_t value;
};

constexpr std::array actions{
    Name{"SCMP_ACT_ALLOW", SECCOMP_RET_ALLOW},
    Name{"SCMP_ACT_ERRNO", SECCOMP_RET_ERRNO},
    // The thread, as libseccomp and the other runtimes read it.
    Name{"SCMP_ACT_KILL", SECCOMP_RET_KILL_THREAD},
    Name{"SCMP_ACT_KILL_PROCESS", SECCOMP_RET_KILL_PROCESS},
    Name{"SCMP_ACT_KILL_THREAD", SECCOMP_RET_KILL_THREAD},
    Name{"SCMP_ACT_LOG", SECCOMP_RET_LOG},
    Name{"SCMP_ACT_NOTIFY", SECCOMP_RET_USER_NOTIF},
    Name{"SCMP_ACT_TRACE", SECCOMP_RET_TRACE},
    Name{"SCMP_ACT_TRAP", SECCOMP_RET_TRAP},
};

constexpr std::array architectures{
    Name{"SCMP_ARCH_AARCH64", AUDIT_ARCH_AARCH64},
    Name{"SCMP_ARCH_ARM", AUDIT_ARCH_ARM},
    Name{"SCMP_ARCH_LOONGARCH64", AUDIT_ARCH_LOONGARCH64},
    Name{"SCMP_ARCH_M68K", AUDIT_ARCH_M68K},
    Name{"SCMP_ARCH_MIPS", AUDIT_ARCH_MIPS},
    Name{"SCMP_ARCH_MIPS64", AUDIT_ARCH_MIPS64},
    Name{"SCMP_ARCH_MIPS64N32", AUDIT_ARCH_MIPS64N32},
    Name{"SCMP_ARCH_MIPSEL", AUDIT_ARCH_MIPSEL},
    Name{"SCMP_ARCH_MIPSEL64", AUDIT_ARCH_MIPSEL64},
    Name{"SCMP_ARCH_MIPSEL64N32", AUDIT_ARCH_MIPSEL64N32},
    Name{"SCMP_ARCH_PARISC", AUDIT_ARCH_PARISC},
    Name{"SCMP_ARCH_PARISC64", AUDIT_ARCH_PARISC64},
    Name{"SCMP_ARCH_PPC", AUDIT_ARCH_PPC},
    Name{"SCMP_ARCH_PPC64", AUDIT_ARCH_PPC64},
    Name{"SCMP_ARCH_PPC64LE", AUDIT_ARCH_PPC64LE},
    Name{"SCMP_ARCH_RISCV64", AUDIT_ARCH_RISCV64},
    Name{"SCMP_ARCH_S390", AUDIT_ARCH_S390},
    Name{"SCMP_ARCH_S390X", AUDIT_ARCH_S390X},
    // libseccomp's SCMP_ARCH_SH is the little-endian one.
    Name{"SCMP_ARCH_SH", AUDIT_ARCH_SHEL},
    Name{"SCMP_ARCH_SHEB", AUDIT_ARCH_SH},
    // The kernel tells x32 from x86-64 by a bit of the system call number.
    Name{"SCMP_ARCH_X32", AUDIT_ARCH_X86_64},
    Name{"SCMP_ARCH_X86", AUDIT_ARCH_I386},
    Name{"SCMP_ARCH_X86_64", AUDIT_ARCH_X86_64},
};

constexpr std::array<std::string_view, 7> operators{
    "SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT",        "SCMP_CMP_LE",
    "SCMP_CMP_LT", "SCMP_CMP_NE", "SCMP_CMP_MASKED_EQ",
};

constexpr std::array<std::string_view, 4> flags{
    "SECCOMP_FILTER_FLAG_LOG",
    "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
    "SECCOMP_FILTER_FLAG_TSYNC",
    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
};

template <class Table>
std::optional<std::uint32_t> find_value(const Table& table, std::string_view name) noexcept {
    for (const Name& entry : table) {
        if (entry.name == name) {
            return entry.value;
        }
    }
    return std::nullopt;
}

template <class Table>
std::vector<std::string_view> names_of(const Table& table) {
    std::vector<std::string_view> names;
    for (const Name& entry : table) {
        names.push_back(entry.name);
    }
    return names;
}

} // namespace

std::optional<std::uint32_t> find_seccomp_action(std::string_view name) noexcept {
    return find_value(actions, name);
}

bool seccomp_action_takes_errno(std::uint32_t action) noexcept {
    return action == SECCOMP_RET_ERRNO || action == SECCOMP_RET_TRACE;
}

std::optional<std::uint32_t> find_seccomp_architecture(std::string_view name) noexcept {
    return find_value(architectures, name);
}

std::vector<std::string_view> seccomp_actions() {
    return names_of(actions);
}

std::vector<std::string_view> seccomp_operators() {
    return {operators.begin(), operators.end()};
}

std::vector<std::string_view> seccomp_architectures() {
    return names_of(architectures);
}

std::vector<std::string_view> seccomp_flags() {
    return {flags.begin(), flags.end()};
}

} // namespace coracle::spec
