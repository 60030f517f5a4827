#include "coracle/security/seccomp.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/sys/fd.h"
#include "coracle/sys/file.h"
#include "security/seccomp_program.h"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <set>
#include <string_view>

namespace coracle::security {
namespace {

/// From here on libseccomp's binary tree is asked for. 437 rules on three architectures, 2 cores:
/// the kernel loads the tree in 0.30 ms and the list in 0.65 ms, each time a container starts;
/// generating it costs 1.3 ms more, once for each profile. It must not be asked for without any
/// rule: libseccomp < 2.5.4 then drops the default action.
constexpr std::size_t tree_threshold = 32;

/// Source: include/uapi/asm/unistd.h and arch/x86/entry/syscalls/syscall_64.tbl: 512 to 547 are
/// x32's own.
constexpr std::uint32_t x32_bit = 0x40000000;
constexpr std::uint32_t x32_private_numbers = x32_bit + 512;
/// Source: arch/arm/include/uapi/asm/unistd.h, __ARM_NR_BASE.
constexpr std::uint32_t arm_private_numbers = 0x0f0000;
/// Above every direct number that a multiplexed call (socketcall, ipc) has got.
constexpr std::uint32_t scan_end = 600;

struct ReleaseContext {
    void operator()(void* context) const noexcept { seccomp_release(context); }
};
using Context = std::unique_ptr<void, ReleaseContext>;

struct Operator {
    std::string_view name;
    scmp_compare value;
};

constexpr std::array<Operator, 7> operators = {{
    {"SCMP_CMP_NE", SCMP_CMP_NE},
    {"SCMP_CMP_LT", SCMP_CMP_LT},
    {"SCMP_CMP_LE", SCMP_CMP_LE},
    {"SCMP_CMP_EQ", SCMP_CMP_EQ},
    {"SCMP_CMP_GE", SCMP_CMP_GE},
    {"SCMP_CMP_GT", SCMP_CMP_GT},
    {"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ},
}};

struct Architecture {
    std::string name; ///< SCMP_ARCH_*, for messages
    std::uint32_t token = 0;
};

struct Call {
    std::string name;
    int number = 0; ///< as the native architecture counts, or libseccomp's negative stand-in
};

struct Rule {
    std::string place; ///< "linux.seccomp.syscalls[3]"
    std::uint32_t action = 0;
    std::vector<Call> calls;
    /// Alternatives, each a conjunction.
    std::vector<std::vector<scmp_arg_cmp>> conditions;
};

struct Profile {
    std::uint32_t default_action = 0;
    std::vector<Rule> rules;
};

[[noreturn]] void throw_libseccomp(int result, const std::string& what) {
    throw_system(-result, "libseccomp " + libseccomp_version() + ": " + what);
}

std::uint32_t to_scmp_action(std::uint32_t action, const std::string& place) {
    const std::uint32_t data = action & SECCOMP_RET_DATA;
    switch (action & SECCOMP_RET_ACTION_FULL) {
    case SECCOMP_RET_KILL_PROCESS:
        return SCMP_ACT_KILL_PROCESS;
    case SECCOMP_RET_KILL_THREAD:
        return SCMP_ACT_KILL_THREAD;
    case SECCOMP_RET_TRAP:
        return SCMP_ACT_TRAP;
    case SECCOMP_RET_ERRNO:
        return SCMP_ACT_ERRNO(data);
    case SECCOMP_RET_USER_NOTIF:
        return SCMP_ACT_NOTIFY;
    case SECCOMP_RET_TRACE:
        return SCMP_ACT_TRACE(data);
    case SECCOMP_RET_LOG:
        return SCMP_ACT_LOG;
    case SECCOMP_RET_ALLOW:
        return SCMP_ACT_ALLOW;
    default:
        throw_error(ErrorKind::invalid_config,
                    place + ": action " + std::to_string(action) + " is not one of seccomp(2)");
    }
}

scmp_arg_cmp to_comparison(const plan::SeccompArgument& argument, const std::string& place) {
    const Operator* const found =
        std::find_if(operators.begin(), operators.end(),
                     [&](const Operator& candidate) { return candidate.name == argument.op; });
    if (found == operators.end()) {
        throw_error(ErrorKind::invalid_config,
                    place + ": operator '" + printable(argument.op) + "' is not a SCMP_CMP_*");
    }
    if (argument.index > 5) {
        throw_error(ErrorKind::invalid_config, place + ": argument index " +
                                                   std::to_string(argument.index) +
                                                   " is above 5, the last of a system call");
    }
    // For SCMP_CMP_MASKED_EQ the first datum is the mask. Source: seccomp_rule_add(3).
    return scmp_arg_cmp{argument.index, found->value, argument.value, argument.value_two};
}

std::vector<std::vector<scmp_arg_cmp>> to_conditions(const plan::SeccompRule& rule,
                                                     const std::string& place) {
    std::vector<scmp_arg_cmp> all;
    std::set<std::uint32_t> indexes;
    for (const plan::SeccompArgument& argument : rule.args) {
        all.push_back(to_comparison(argument, place));
        indexes.insert(argument.index);
    }
    if (indexes.size() == all.size()) {
        return {all};
    }
    // libseccomp compares an argument once in a rule. As runc does, which profiles are written
    // against, comparisons of one argument then become alternatives, all of them.
    std::vector<std::vector<scmp_arg_cmp>> alternatives;
    for (const scmp_arg_cmp& comparison : all) {
        alternatives.push_back({comparison});
    }
    return alternatives;
}

Profile make_profile(const plan::SeccompPlan& seccomp) {
    Profile profile;
    profile.default_action = to_scmp_action(seccomp.default_action, "linux.seccomp.defaultAction");
    profile.rules.reserve(seccomp.rules.size());
    for (std::size_t i = 0; i < seccomp.rules.size(); ++i) {
        const plan::SeccompRule& source = seccomp.rules[i];
        Rule rule;
        rule.place = "linux.seccomp.syscalls[" + std::to_string(i) + "]";
        rule.action = to_scmp_action(source.action, rule.place);
        rule.conditions = to_conditions(source, rule.place);
        for (const std::string& name : source.names) {
            const int number = seccomp_syscall_resolve_name(name.c_str());
            if (number != __NR_SCMP_ERROR) {
                rule.calls.push_back(Call{name, number});
            }
        }
        profile.rules.push_back(std::move(rule));
    }
    return profile;
}

std::uint32_t find_token(const std::string& name) {
    constexpr std::string_view prefix = "SCMP_ARCH_";
    const bool prefixed = name.rfind(prefix, 0) == 0;
    const std::string short_name = prefixed ? to_lower(name.substr(prefix.size())) : "";
    const std::uint32_t token = seccomp_arch_resolve_name(short_name.c_str());
    if (token == 0) {
        throw_error(ErrorKind::unsupported, "linux.seccomp.architectures: libseccomp " +
                                                libseccomp_version() + " does not know '" +
                                                printable(name) + "'; leave it out");
    }
    return token;
}

/// The native architecture, whether it is listed or not (without it nothing could run), then the
/// listed ones; x32 first, because link_filters asks it before x86-64.
std::vector<Architecture> make_architectures(const std::vector<std::string>& names) {
    std::vector<Architecture> architectures = {Architecture{"native", seccomp_arch_native()}};
    for (const std::string& name : names) {
        const std::uint32_t token = find_token(name);
        const auto same = [token](const Architecture& known) { return known.token == token; };
        if (std::none_of(architectures.begin(), architectures.end(), same)) {
            architectures.insert(token == SCMP_ARCH_X32 ? architectures.begin()
                                                        : architectures.end(),
                                 Architecture{name, token});
        }
    }
    return architectures;
}

Context make_context(std::uint32_t default_action, const Architecture& architecture) {
    Context context(seccomp_init(default_action));
    if (!context) {
        throw_error(ErrorKind::unsupported, "linux.seccomp.defaultAction: libseccomp " +
                                                libseccomp_version() +
                                                " or the running kernel does not have this action");
    }
    // no_new_privs is the process's own business; the filter is not loaded by libseccomp.
    int result = seccomp_attr_set(context.get(), SCMP_FLTATR_CTL_NNP, 0);
    if (result != 0) {
        throw_libseccomp(result, "set the attribute for no_new_privs");
    }
    if (architecture.token == seccomp_arch_native()) {
        return context;
    }
    // Added while the native one is still there: that is how libseccomp notices the byte order.
    result = seccomp_arch_add(context.get(), architecture.token);
    if (result == -EDOM) {
        throw_error(ErrorKind::invalid_config, "linux.seccomp.architectures: " + architecture.name +
                                                   " has not the byte order of this machine; "
                                                   "leave it out");
    }
    if (result == 0) {
        result = seccomp_arch_remove(context.get(), SCMP_ARCH_NATIVE);
    }
    if (result != 0) {
        throw_libseccomp(result, "add architecture " + architecture.name);
    }
    return context;
}

void add_call(void* context, const Rule& rule, const Call& call) {
    for (const std::vector<scmp_arg_cmp>& condition : rule.conditions) {
        const int result =
            seccomp_rule_add_array(context, rule.action, call.number,
                                   static_cast<unsigned>(condition.size()), condition.data());
        if (result == -EEXIST) {
            throw_error(ErrorKind::invalid_config,
                        rule.place + ": '" + call.name +
                            "' has another action in an earlier rule with the same arguments; "
                            "remove one of the two");
        }
        if (result != 0) {
            throw_libseccomp(result, rule.place + ": add a rule for '" + call.name + "'");
        }
    }
}

/// What the calls of a profile are for one architecture.
class KnownNumbers {
  public:
    explicit KnownNumbers(std::uint32_t token) : token_(token), end_(end_of(token)) {}

    /// Whether the architecture has the call; notes its number.
    bool add(const Call& call) {
        const int number = seccomp_syscall_resolve_name_arch(token_, call.name.c_str());
        if (number >= 0) {
            note(static_cast<std::uint32_t>(number));
            return true;
        }
        const int carrier = seccomp_syscall_resolve_name_rewrite(token_, call.name.c_str());
        if (carrier < 0) {
            return false;
        }
        note(static_cast<std::uint32_t>(carrier));
        multiplexed_.insert(call.name);
        return true;
    }

    /// The highest number that a rule can match. A multiplexed call has a direct number as well,
    /// which libseccomp only gives by number.
    [[nodiscard]] std::optional<std::uint32_t> highest() const {
        std::optional<std::uint32_t> result = highest_;
        if (multiplexed_.empty() || !result.has_value()) {
            return result;
        }
        for (std::uint32_t number = *highest_ + 1; number < scan_end; ++number) {
            const std::unique_ptr<char, decltype(&std::free)> name(
                seccomp_syscall_resolve_num_arch(token_, static_cast<int>(number)), &std::free);
            if (name && multiplexed_.count(name.get()) != 0) {
                result = number;
            }
        }
        return result;
    }

    [[nodiscard]] std::uint32_t end() const noexcept { return end_; }

  private:
    static std::uint32_t end_of(std::uint32_t token) {
        if (token == SCMP_ARCH_X86_64) {
            return x32_bit;
        }
        if (token == SCMP_ARCH_X32) {
            return x32_private_numbers;
        }
        return token == SCMP_ARCH_ARM ? arm_private_numbers : UINT32_MAX;
    }

    void note(std::uint32_t number) {
        if (number < end_) {
            highest_ = std::max(highest_.value_or(0), number);
        }
    }

    std::uint32_t token_;
    std::uint32_t end_;
    std::optional<std::uint32_t> highest_;
    std::set<std::string> multiplexed_;
};

std::vector<sock_filter> export_program(void* context) {
    constexpr std::size_t size_limit = std::size_t{1} << 20;
    const int raw_fd = memfd_create("coracle-seccomp", MFD_CLOEXEC);
    const int create_errno = errno;
    const sys::Fd fd(raw_fd);
    if (!fd) {
        throw_system(create_errno, "create a memory file for the seccomp filter");
    }
    const int result = seccomp_export_bpf(context, fd.get());
    if (result != 0) {
        throw_libseccomp(result, "generate the seccomp filter");
    }
    if (lseek(fd.get(), 0, SEEK_SET) != 0) {
        const int errnum = errno;
        throw_system(errnum, "rewind the seccomp filter");
    }
    const std::string bytes = sys::read_all(fd.get(), size_limit, "the seccomp filter");
    std::vector<sock_filter> program(bytes.size() / sizeof(sock_filter));
    std::memcpy(program.data(), bytes.data(), program.size() * sizeof(sock_filter));
    return program;
}

/// The filter of one architecture by itself: libseccomp's generator takes more than twice the time
/// for three together than for each alone (5.7 against 1.7 ms for 437 rules, 2 cores).
ArchitectureFilter compile_for(const Profile& profile, const Architecture& architecture) {
    const Context context = make_context(profile.default_action, architecture);
    KnownNumbers numbers(architecture.token);
    std::size_t added = 0;
    for (const Rule& rule : profile.rules) {
        // libseccomp refuses a rule that does what happens anyway.
        const bool redundant = rule.action == profile.default_action;
        for (const Call& call : rule.calls) {
            if (numbers.add(call) && !redundant) {
                add_call(context.get(), rule, call);
                ++added;
            }
        }
    }
    if (added >= tree_threshold) {
        const int result = seccomp_attr_set(context.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
        if (result != 0) {
            throw_libseccomp(result, "ask for a binary tree");
        }
    }
    ArchitectureFilter filter;
    filter.audit_arch = architecture.token;
    if (architecture.token == SCMP_ARCH_X32) {
        filter.audit_arch = AUDIT_ARCH_X86_64;
        filter.first = x32_bit;
    }
    filter.end = numbers.end();
    // A C library takes ENOSYS as "try the older call" and EPERM as the answer. A profile cannot
    // mean to forbid what did not exist when it was written.
    if (profile.default_action == SCMP_ACT_ERRNO(EPERM)) {
        filter.highest_known = numbers.highest();
    }
    filter.program = export_program(context.get());
    return filter;
}

} // namespace

std::vector<std::uint8_t> compile_seccomp(const plan::SeccompPlan& seccomp) {
    const Profile profile = make_profile(seccomp);
    std::vector<ArchitectureFilter> filters;
    for (const Architecture& architecture : make_architectures(seccomp.architectures)) {
        filters.push_back(compile_for(profile, architecture));
    }
    const bool alone = filters.size() == 1 && !filters.front().highest_known.has_value();
    const std::vector<sock_filter> program =
        alone ? filters.front().program : link_filters(filters, SECCOMP_RET_KILL_THREAD);
    if (program.size() > BPF_MAXINSNS) {
        throw_error(ErrorKind::unsupported,
                    "linux.seccomp: the filter has " + std::to_string(program.size()) +
                        " instructions and the kernel takes " + std::to_string(BPF_MAXINSNS) +
                        "; name fewer architectures or system calls");
    }
    std::vector<std::uint8_t> bytes(program.size() * sizeof(sock_filter));
    std::memcpy(bytes.data(), program.data(), bytes.size());
    return bytes;
}

std::string libseccomp_version() {
    const scmp_version* const version = seccomp_version();
    return std::to_string(version->major) + "." + std::to_string(version->minor) + "." +
           std::to_string(version->micro);
}

} // namespace coracle::security
