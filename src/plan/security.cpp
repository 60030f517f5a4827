#include "plan_private.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/spec/annotations.h"
#include "coracle/spec/seccomp_names.h"

#include <algorithm>
#include <cerrno>

namespace coracle::plan {

namespace {

/// Unknown names are left out, as the runtime-spec asks, and said.
std::uint64_t make_mask(const std::vector<std::string>& names, const char* set,
                        std::uint64_t available, LaunchPlan& plan) {
    std::uint64_t mask = 0;
    for (const std::string& name : names) {
        std::optional<int> number = find_capability(name);
        std::uint64_t bit = number ? std::uint64_t{1} << static_cast<unsigned>(*number) : 0;
        if ((bit & available) == 0) {
            plan.degradations.push_back(
                {std::string("/process/capabilities/") + set,
                 printable(name) + (number ? " is not in the caller's bounding set or not known to "
                                             "the kernel"
                                           : " is not a known capability")});
        }
        mask |= bit & available;
    }
    return mask;
}

/// The kernel refuses `set` beyond `limit`: capset(2). The runtime-spec wants the rest granted.
void restrict(std::uint64_t& set, std::uint64_t limit, const char* set_name, const char* limit_name,
              LaunchPlan& plan) {
    if ((set & ~limit) != 0) {
        plan.degradations.push_back(
            {std::string("/process/capabilities/") + set_name,
             std::string("capabilities that are not in the ") + limit_name + " set are left out"});
        set &= limit;
    }
}

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

bool is_switched_on(const Inputs& inputs, std::string_view annotation) {
    auto found = inputs.config.annotations.find(std::string(annotation));
    if (found == inputs.config.annotations.end() || found->second == "0") {
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
void plan_listener(const Inputs& inputs, SeccompPlan& plan) {
    const spec::Seccomp& seccomp = *inputs.linux_.seccomp;
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
    auto receiver = inputs.config.annotations.find(std::string(spec::seccomp_receiver_annotation));
    if (listener.path.empty() && receiver != inputs.config.annotations.end()) {
        place = "/annotations/" + receiver->first;
        listener.path = receiver->second;
    }
    if (!listener.path.starts_with('/')) {
        throw_error(ErrorKind::invalid_config,
                    place + ": SCMP_ACT_NOTIFY needs the absolute path of a unix socket here");
    }
    plan.listener = std::move(listener);
    plan.filter_flags |= new_listener_flag;
    if ((plan.filter_flags & tsync_flag) != 0) { // else the kernel refuses the two together
        plan.filter_flags |= tsync_errno_flag;
    }
}

} // namespace

CapabilityPlan make_capabilities(const Inputs& inputs, const spec::Process& process,
                                 LaunchPlan& plan) {
    CapabilityPlan result;
    const std::optional<spec::Capabilities>& config = process.capabilities;
    if (!config) {
        return result;
    }
    // A user namespace gives who makes or joins it every capability. user_namespaces(7)
    std::uint64_t known =
        (std::uint64_t{2} << static_cast<unsigned>(inputs.facts.last_capability)) - 1;
    std::uint64_t available = plan.user_namespace != UserNamespace::current
                                  ? known
                                  : known & inputs.facts.bounding_capabilities;
    result.bounding = make_mask(config->bounding, "bounding", available, plan);
    result.effective = make_mask(config->effective, "effective", available, plan);
    result.inheritable = make_mask(config->inheritable, "inheritable", available, plan);
    result.permitted = make_mask(config->permitted, "permitted", available, plan);
    result.ambient = make_mask(config->ambient, "ambient", available, plan);
    restrict(result.effective, result.permitted, "effective", "permitted", plan);
    restrict(result.inheritable, result.bounding, "inheritable", "bounding", plan);
    // The kernel raises only what is in both: capabilities(7), "Ambient".
    std::uint64_t raisable = result.permitted & result.inheritable;
    if ((result.ambient & ~raisable) != 0) {
        plan.degradations.push_back(
            {"/process/capabilities/ambient",
             "capabilities that are not in the permitted and inheritable sets are left out"});
        result.ambient &= raisable;
    }
    return result;
}

SeccompPlan make_seccomp(const Inputs& inputs) {
    const spec::Seccomp& seccomp = *inputs.linux_.seccomp;
    SeccompPlan plan;
    plan.fail_unknown_calls = is_switched_on(inputs, spec::strict_syscalls_annotation);
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
    plan_listener(inputs, plan);
    return plan;
}

} // namespace coracle::plan
