#include "fuzz/seccomp_rules.h"

#include "fuzz/fuzz.h"
#include "support/bpf_eval.h"

#include <algorithm>
#include <cstdio>
#include <optional>

namespace coracle::test {
namespace {

// ---- what the profile says

bool compares(const Comparison& comparison, const Args& args, std::uint64_t width) {
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

bool holds(const Rule& rule, const Args& args, std::uint64_t width) {
    for (const Comparison& comparison : rule.comparisons) {
        if (compares(comparison, args, width) == rule.alternatives) {
            return rule.alternatives;
        }
    }
    return !rule.alternatives;
}

/// The architecture that a number belongs to; nothing if no filter is for it.
std::optional<std::size_t> arch_of(const Profile& profile, std::uint32_t audit,
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

std::uint32_t named_calls(const Profile& profile) {
    std::uint32_t named = 0;
    for (const Rule& rule : profile.rules) {
        named |= rule.calls;
    }
    return named;
}

/// Whether a number is above the highest that a rule names.
bool is_newer(const Profile& profile, std::size_t arch, std::uint32_t number) {
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
bool may_answer(const Profile& profile, std::uint32_t audit, std::uint32_t number, const Args& args,
                std::uint32_t answer) {
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

// ---- calls that are made

/// Arguments at, below and above what the rules compare with.
std::vector<Args> choose_args(const Profile& profile) {
    std::vector<Args> chosen = {Args{}, Args{1, UINT64_MAX, 1, 1, 1, 1}, Args{3, 3, 3, 3, 3, 3}};
    for (const Rule& rule : profile.rules) {
        if (rule.comparisons.empty() || chosen.size() > 8) {
            continue;
        }
        Args at = chosen.back();
        Args above = at;
        Args below = at;
        for (const Comparison& comparison : rule.comparisons) {
            const std::uint64_t value =
                comparison.op == masked_equal ? comparison.second : comparison.value;
            at[comparison.index] = value;
            above[comparison.index] = value + 1;
            below[comparison.index] = value - 1;
        }
        chosen.insert(chosen.end(), {above, below, at});
    }
    return chosen;
}

void print(const Profile& profile) {
    std::fprintf(stderr, "default %#x, architectures %#x\n", profile.default_action,
                 profile.listed);
    for (const Rule& rule : profile.rules) {
        std::fprintf(stderr, "%#x if%s", rule.action, rule.alternatives ? " any of" : "");
        for (const Comparison& comparison : rule.comparisons) {
            std::fprintf(stderr, " %u %s %#llx %#llx,", comparison.index, operators[comparison.op],
                         static_cast<unsigned long long>(comparison.value),
                         static_cast<unsigned long long>(comparison.second));
        }
        for (std::size_t call = 0; call < calls.size(); ++call) {
            std::fprintf(stderr, "%s%s", (rule.calls >> call & 1U) != 0 ? " " : "",
                         (rule.calls >> call & 1U) != 0 ? calls[call].name : "");
        }
        std::fprintf(stderr, "\n");
    }
}

void require_answer(const Profile& profile, std::size_t arch, std::uint32_t number,
                    const Args& args, std::uint32_t answer) {
    if (may_answer(profile, archs[arch].audit, number, args, answer)) {
        return;
    }
    print(profile);
    std::fprintf(stderr, "%s %u", archs[arch].name, number);
    for (const std::uint64_t arg : args) {
        std::fprintf(stderr, " %#llx", static_cast<unsigned long long>(arg));
    }
    std::fprintf(stderr, ": the filter answers %#x\n", answer);
    require(false);
}

} // namespace

void check_answers(const Profile& profile, const std::vector<sock_filter>& program) {
    const std::vector<Args> all_args = choose_args(profile);
    const std::uint32_t named = named_calls(profile);
    const auto check = [&](std::size_t arch, std::uint32_t number, const Args& args) {
        require_answer(profile, arch, number, args,
                       evaluate_bpf(program, archs[arch].audit, number, args));
    };
    for (std::size_t arch = 0; arch < archs.size(); ++arch) {
        for (const std::uint32_t number :
             {450U, 0x3fffffffU, x32_bit, x32_bit + 511, x32_bit + 512, UINT32_MAX}) {
            check(arch, number, Args{});
        }
        for (std::size_t call = 0; call < calls.size(); ++call) {
            if ((named >> call & 1U) == 0 || number_of(call, arch) == none) {
                continue;
            }
            check(arch, number_of(call, arch) + 1, all_args.back());
            for (const Args& args : all_args) {
                check(arch, number_of(call, arch), args);
            }
        }
    }
    for (const Args& args : all_args) {
        check(i386, socketcall, args);
    }
    require(evaluate_bpf(program, AUDIT_ARCH_S390X, 1, Args{}) == SECCOMP_RET_KILL_THREAD);
}

bool must_be_refused(const Profile& profile) {
    for (const Rule& rule : profile.rules) {
        for (const Comparison& comparison : rule.comparisons) {
            if (comparison.index > 5 || comparison.op == no_operator) {
                return true;
            }
        }
    }
    return profile.wrong_arch != nullptr;
}

bool may_be_refused(const Profile& profile) {
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
