#include "security/seccomp_profile.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/security/seccomp.h"

#include <linux/seccomp.h>

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

namespace coracle::security {
namespace {

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

std::vector<Condition> to_conditions(const plan::SeccompRule& rule, const std::string& place) {
    Condition all;
    std::set<std::uint32_t> indexes;
    for (const plan::SeccompArgument& argument : rule.args) {
        all.push_back(to_comparison(argument, place));
        indexes.insert(argument.index);
    }
    if (indexes.size() == all.size()) {
        std::sort(all.begin(), all.end(), [](const scmp_arg_cmp& left, const scmp_arg_cmp& right) {
            return left.arg < right.arg;
        });
        return {all};
    }
    // libseccomp compares an argument once in a rule. As runc does, which profiles are written
    // against, comparisons of one argument then become alternatives, all of them.
    std::vector<Condition> alternatives;
    for (const scmp_arg_cmp& comparison : all) {
        alternatives.push_back({comparison});
    }
    return alternatives;
}

} // namespace

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
            } else if (seccomp.fail_unknown_calls) {
                throw_error(ErrorKind::invalid_config,
                            rule.place + ": libseccomp " + libseccomp_version() +
                                " does not know the system call '" + printable(name) +
                                "' (run.oci.seccomp_fail_unknown_syscall)");
            }
        }
        profile.rules.push_back(std::move(rule));
    }
    return profile;
}

} // namespace coracle::security
