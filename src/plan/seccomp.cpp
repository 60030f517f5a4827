#include "coracle/plan/seccomp.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/spec/annotations.h"
#include "coracle/spec/seccomp_names.h"
#include "plan_private.h"

#include <algorithm>
#include <cerrno>

namespace coracle::plan {

namespace {

std::uint32_t make_action(const std::string& name, std::optional<std::uint32_t> errno_ret,
                          const std::string& pointer) {
    std::optional<std::uint32_t> action = spec::find_seccomp_action(name);
    if (!action) {
        throw_error(ErrorKind::invalid_config, pointer + ": unknown action " + printable(name));
    }
    std::uint32_t data = spec::seccomp_action_takes_errno(*action) ? errno_ret.value_or(EPERM) : 0;
    return *action | data;
}

// Values of SECCOMP_FILTER_FLAG_*: include/uapi/linux/seccomp.h.
constexpr std::uint32_t tsync_flag = 1U << 0U;
constexpr std::uint32_t new_listener_flag = 1U << 3U;
constexpr std::uint32_t tsync_errno_flag = 1U << 4U;
constexpr std::uint32_t wait_killable_flag = 1U << 5U;

std::uint32_t make_filter_flags(const std::vector<std::string>& names) {
    std::uint32_t flags = 0;
    for (const std::string& name : names) {
        if (name == "SECCOMP_FILTER_FLAG_TSYNC") {
            flags |= tsync_flag;
        } else if (name == "SECCOMP_FILTER_FLAG_LOG") {
            flags |= 2U;
        } else if (name == "SECCOMP_FILTER_FLAG_SPEC_ALLOW") {
            flags |= 4U;
        } else if (name == "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV") {
            flags |= wait_killable_flag;
        } else {
            throw_error(ErrorKind::unsupported,
                        "/linux/seccomp/flags: " + printable(name) + " is not supported");
        }
    }
    return flags;
}

bool is_switched_on(const spec::Config& config, std::string_view annotation) {
    auto found = config.annotations.find(std::string(annotation));
    if (found == config.annotations.end() || found->second == "0") {
        return false;
    }
    if (found->second != "1") {
        throw_error(ErrorKind::invalid_config, "/annotations/" + std::string(annotation) + ": " +
                                                   printable(found->second) + " must be 0 or 1");
    }
    return true;
}

bool notifies(const SeccompPlan& plan) {
    const auto is_notify = [](std::uint32_t action) {
        return action == spec::find_seccomp_action("SCMP_ACT_NOTIFY");
    };
    return is_notify(plan.default_action) ||
           std::any_of(plan.rules.begin(), plan.rules.end(),
                       [&](const SeccompRule& rule) { return is_notify(rule.action); });
}

/// Source: runtime-spec config-linux.md#seccomp; seccomp(2).
void plan_listener(const spec::Config& config, SeccompPlan& plan) {
    const spec::Seccomp& seccomp = *config.linux_->seccomp;
    if (!notifies(plan)) { // "this value is ignored"
        if ((plan.filter_flags & wait_killable_flag) != 0) {
            throw_error(ErrorKind::invalid_config,
                        "/linux/seccomp/flags: SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV is for "
                        "filters with SCMP_ACT_NOTIFY: remove it");
        }
        return;
    }
    SeccompListener listener{seccomp.listener_path, seccomp.listener_metadata};
    std::string place = "/linux/seccomp/listenerPath";
    auto receiver = config.annotations.find(std::string(spec::seccomp_receiver_annotation));
    if (listener.path.empty() && receiver != config.annotations.end()) {
        place = "/annotations/" + receiver->first;
        listener.path = receiver->second;
    }
    if (!listener.path.starts_with('/')) {
        throw_error(ErrorKind::invalid_config,
                    place + ": SCMP_ACT_NOTIFY needs the absolute path of a unix socket here");
    }
    plan.listener = std::move(listener);
    add_listener_flag(plan);
}

} // namespace

void add_listener_flag(SeccompPlan& plan) {
    plan.filter_flags |= new_listener_flag;
    if ((plan.filter_flags & tsync_flag) != 0) { // else the kernel refuses the two together
        plan.filter_flags |= tsync_errno_flag;
    }
}

SeccompPlan make_seccomp_plan(const spec::Config& config) {
    const spec::Seccomp& seccomp = *config.linux_->seccomp;
    SeccompPlan plan;
    plan.fail_unknown_calls = is_switched_on(config, spec::strict_syscalls_annotation);
    plan.default_action = make_action(seccomp.default_action, seccomp.default_errno_ret,
                                      "/linux/seccomp/defaultAction");
    plan.architectures = seccomp.architectures;
    plan.filter_flags = make_filter_flags(seccomp.flags);
    plan.rules.reserve(seccomp.syscalls.size());
    for (std::size_t i = 0; i < seccomp.syscalls.size(); ++i) {
        const spec::SeccompSyscall& entry = seccomp.syscalls[i];
        SeccompRule rule;
        rule.names = entry.names;
        rule.action = make_action(entry.action, entry.errno_ret,
                                  "/linux/seccomp/syscalls/" + std::to_string(i) + "/action");
        for (const spec::SeccompArg& arg : entry.args) {
            rule.args.push_back({arg.index, arg.op, arg.value, arg.value_two});
        }
        plan.rules.push_back(std::move(rule));
    }
    plan_listener(config, plan);
    return plan;
}

} // namespace coracle::plan
