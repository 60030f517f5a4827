#include "coracle/security/seccomp.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/sys/fd.h"
#include "coracle/sys/file.h"
#include "security/seccomp_profile.h"
#include "security/seccomp_program.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <seccomp.h>
#include <set>
#include <string_view>
#include <sys/mman.h>
#include <unistd.h>

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

struct Architecture {
    std::string name; ///< SCMP_ARCH_*, for messages
    std::uint32_t token = 0;
};

[[noreturn]] void throw_libseccomp(int result, const std::string& what) {
    throw_system(-result, "libseccomp " + libseccomp_version() + ": " + what);
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

/// One call of a rule under one condition.
struct Entry {
    const Rule* rule;
    const Call* call;
    const Condition* condition;
};

[[noreturn]] void throw_contradiction(const Entry& entry) {
    throw_error(ErrorKind::invalid_config,
                entry.rule->place + ": '" + entry.call->name +
                    "' has another action in an earlier rule with the same arguments; "
                    "remove one of the two");
}

void add_entry(void* context, const Entry& entry) {
    const int result = seccomp_rule_add_array(context, entry.rule->action, entry.call->number,
                                              static_cast<unsigned>(entry.condition->size()),
                                              entry.condition->data());
    if (result == -EEXIST) {
        throw_contradiction(entry);
    }
    if (result != 0) {
        throw_libseccomp(result, entry.rule->place + ": add a rule for '" + entry.call->name + "'");
    }
}

/// libseccomp keeps the conditions of one call in one tree, and a comparison that has led into a
/// branch does not come back to try the next: of several conditions some may never be asked
/// (2.5.4: arg0 < 2^32 next to arg0 < 10). Safe side by side are only equalities of one argument,
/// and masks on its low word, which one test of the high word leads to, if they have the same
/// action. So each layer is a program of its own, and what a layer does not match the next one is
/// asked.
class Layers {
  public:
    void add(const Entry& entry) {
        if (entry.condition->empty()) {
            layer(0).push_back(entry);
            return;
        }
        std::vector<Placed>& placed = conditional_[entry.call->name];
        std::size_t lowest = 0;
        for (const Placed& other : placed) {
            if (is_same(*other.entry.condition, *entry.condition)) {
                if (other.entry.rule->action != entry.rule->action) {
                    throw_contradiction(entry);
                }
                return;
            }
            if (!may_stand_side_by_side(other.entry, entry)) {
                lowest = std::max(lowest, other.layer + 1);
            }
        }
        placed.push_back({entry, lowest});
        layer(lowest).push_back(entry);
    }

    /// One at least.
    [[nodiscard]] const std::vector<std::vector<Entry>>& all() const noexcept { return layers_; }

  private:
    struct Placed {
        Entry entry;
        std::size_t layer;
    };

    static bool is_same(const Condition& left, const Condition& right) {
        return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                          [](const scmp_arg_cmp& a, const scmp_arg_cmp& b) {
                              return a.arg == b.arg && a.op == b.op && a.datum_a == b.datum_a &&
                                     a.datum_b == b.datum_b;
                          });
    }
    static bool may_stand_side_by_side(const Entry& left, const Entry& right) {
        if (left.condition->size() != 1 || right.condition->size() != 1) {
            return false;
        }
        const scmp_arg_cmp& a = left.condition->front();
        const scmp_arg_cmp& b = right.condition->front();
        if (a.arg != b.arg || a.op != b.op) {
            return false;
        }
        return a.op == SCMP_CMP_EQ ||
               (a.op == SCMP_CMP_MASKED_EQ && look_at_low_word(a) && look_at_low_word(b) &&
                left.rule->action == right.rule->action);
    }
    /// The first datum is the mask.
    static bool look_at_low_word(const scmp_arg_cmp& comparison) {
        return (comparison.datum_a >> 32U) == 0 && (comparison.datum_b >> 32U) == 0;
    }
    std::vector<Entry>& layer(std::size_t index) {
        layers_.resize(std::max(layers_.size(), index + 1));
        return layers_[index];
    }

    std::vector<std::vector<Entry>> layers_{1};
    std::map<std::string, std::vector<Placed>> conditional_;
};

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
    const sys::Fd fd(memfd_create("coracle-seccomp", MFD_CLOEXEC));
    const int create_errno = errno;
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

std::vector<sock_filter> compile_layer(const std::vector<Entry>& layer,
                                       std::uint32_t default_action,
                                       const Architecture& architecture) {
    const Context context = make_context(default_action, architecture);
    for (const Entry& entry : layer) {
        add_entry(context.get(), entry);
    }
    if (layer.size() >= tree_threshold) {
        const int result = seccomp_attr_set(context.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
        if (result != 0) {
            throw_libseccomp(result, "ask for a binary tree");
        }
    }
    return export_program(context.get());
}

/// The filter of one architecture by itself: libseccomp's generator takes more than twice the time
/// for three together than for each alone (5.7 against 1.7 ms for 437 rules, 2 cores).
ArchitectureFilter compile_for(const Profile& profile, const Architecture& architecture) {
    KnownNumbers numbers(architecture.token);
    Layers layers;
    for (const Rule& rule : profile.rules) {
        // libseccomp refuses a rule that does what happens anyway.
        const bool redundant = rule.action == profile.default_action;
        for (const Call& call : rule.calls) {
            if (!numbers.add(call) || redundant) {
                continue;
            }
            for (const Condition& condition : rule.conditions) {
                layers.add({&rule, &call, &condition});
            }
        }
    }
    ArchitectureFilter filter;
    for (const std::vector<Entry>& layer : layers.all()) {
        append_layer(filter.program, profile.default_action,
                     compile_layer(layer, profile.default_action, architecture));
    }
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
