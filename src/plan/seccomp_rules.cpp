#include "coracle/base/error.h"
#include "coracle/plan/seccomp.h"
#include "plan_private.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <linux/seccomp.h>
#include <set>

namespace coracle::plan {

namespace {

/// Source: seccomp_rule_add(3); for SCMP_CMP_MASKED_EQ the first value is the mask.
bool holds(const SeccompArgument& condition, const std::array<std::uint64_t, 6>& arguments) {
    const std::uint64_t argument = arguments.at(condition.index);
    const std::uint64_t value = condition.value;
    return condition.op == "SCMP_CMP_NE"   ? argument != value
           : condition.op == "SCMP_CMP_LT" ? argument < value
           : condition.op == "SCMP_CMP_LE" ? argument <= value
           : condition.op == "SCMP_CMP_EQ" ? argument == value
           : condition.op == "SCMP_CMP_GE" ? argument >= value
           : condition.op == "SCMP_CMP_GT" ? argument > value
                                           : (argument & value) == (condition.value_two & value);
}

bool matches(const SeccompRule& rule, const std::array<std::uint64_t, 6>& arguments) {
    std::set<std::uint32_t> indexes;
    for (const SeccompArgument& condition : rule.args) {
        indexes.insert(condition.index);
    }
    const auto is_met = [&](const SeccompArgument& condition) {
        return holds(condition, arguments);
    };
    return indexes.size() == rule.args.size()
               ? std::all_of(rule.args.begin(), rule.args.end(), is_met)
               : std::any_of(rule.args.begin(), rule.args.end(), is_met);
}

bool names(const SeccompRule& rule, std::string_view call) {
    return std::find(rule.names.begin(), rule.names.end(), call) != rule.names.end();
}

/// What init calls once its filter is loaded; close and sendmsg where execve has failed.
constexpr std::array<std::string_view, 7> calls_of_init{
    "execve", "wait4", "write", "exit_group", "exit", "close", "sendmsg",
};

bool is_of_init(const std::string& call) {
    return std::find(calls_of_init.begin(), calls_of_init.end(), call) != calls_of_init.end();
}

/// Whether one rule says what becomes of the call, whatever its arguments.
bool is_settled(const std::vector<SeccompRule>& rules, std::string_view call) {
    return std::any_of(rules.begin(), rules.end(), [&](const SeccompRule& rule) {
        return rule.args.empty() && names(rule, call);
    });
}

/// Init waits for the process that has sent the listener, which it does not without one: this may
/// fail, but not kill it.
std::uint32_t kept_action(std::string_view call, std::uint32_t action) noexcept {
    const bool fails = (action & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO;
    return call == "wait4" && !fails ? SECCOMP_RET_ERRNO | EPERM : action;
}

bool can_be_answered(std::uint32_t action) noexcept {
    return is_refusal(action) && (action & SECCOMP_RET_ACTION_FULL) != SECCOMP_RET_TRAP;
}

} // namespace

bool is_refusal(std::uint32_t action) noexcept {
    switch (action & SECCOMP_RET_ACTION_FULL) {
    case SECCOMP_RET_ERRNO:
    case SECCOMP_RET_TRAP:
    case SECCOMP_RET_KILL_THREAD:
    case SECCOMP_RET_KILL_PROCESS:
        return true;
    default:
        return false;
    }
}

bool asks_for_arguments(const SeccompPlan& seccomp, std::string_view call) {
    return std::any_of(seccomp.rules.begin(), seccomp.rules.end(), [&](const SeccompRule& rule) {
        return !rule.args.empty() && names(rule, call);
    });
}

std::optional<std::size_t> find_rule(const SeccompPlan& seccomp, std::string_view call,
                                     const std::array<std::uint64_t, 6>& arguments) {
    // A rule without conditions stands before those with some, wherever it is written; one that
    // says what the default does after them.
    std::optional<std::size_t> found;
    std::optional<std::size_t> as_default;
    for (std::size_t i = 0; i < seccomp.rules.size(); ++i) {
        const SeccompRule& rule = seccomp.rules[i];
        if (!names(rule, call) || !matches(rule, arguments)) {
            continue;
        }
        if (rule.action == seccomp.default_action) {
            as_default = as_default.value_or(i);
        } else if (rule.args.empty()) {
            return i;
        } else {
            found = found.value_or(i);
        }
    }
    return found ? found : as_default;
}

SeccompPlan make_explained(SeccompPlan seccomp) {
    if (seccomp.listener) {
        throw_error(ErrorKind::unsupported,
                    "--explain: /linux/seccomp/listenerPath: the filter has an agent of its own, "
                    "and the kernel allows one listener: run it without --explain");
    }
    const std::uint32_t original_default = seccomp.default_action;
    std::vector<SeccompRule> rules;
    for (SeccompRule& rule : seccomp.rules) {
        if (!can_be_answered(rule.action)) {
            rules.push_back(std::move(rule));
            continue;
        }
        for (const std::string& name : rule.names) {
            if (is_of_init(name)) {
                rules.push_back({{name}, kept_action(name, rule.action), rule.args});
            }
        }
        std::erase_if(rule.names, is_of_init);
        rule.action = SECCOMP_RET_USER_NOTIF;
        if (!rule.names.empty()) {
            rules.push_back(std::move(rule));
        }
    }
    if (can_be_answered(original_default)) {
        seccomp.default_action = SECCOMP_RET_USER_NOTIF;
        // Last, and with a condition that always holds, so that every other rule counts before it.
        for (std::string_view call : calls_of_init) {
            if (!is_settled(rules, call)) {
                rules.push_back({{std::string(call)},
                                 kept_action(call, original_default),
                                 {{0, "SCMP_CMP_GE", 0, 0}}});
            }
        }
    }
    seccomp.rules = std::move(rules);
    add_listener_flag(seccomp);
    return seccomp;
}

} // namespace coracle::plan
