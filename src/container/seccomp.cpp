#include "coracle/container/seccomp.h"

#include "bundle_private.h"
#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/plan/seccomp.h"
#include "coracle/sandbox/seccomp_profiles.h"
#include "coracle/security/seccomp.h"
#include "coracle/spec/config_json.h"
#include "coracle/sys/fd.h"
#include "coracle/sys/file.h"
#include "explainer_private.h"

#include <algorithm>
#include <array>
#include <fcntl.h>
#include <sys/stat.h>

namespace coracle::container {

namespace {

/// The filter in a configuration of nothing else; none if the bundle's has none.
std::optional<spec::Config> load_filter(const SeccompSource& source) {
    spec::Config config;
    if (source.profile.empty()) {
        config = load_bundle(source.bundle, source.config).config;
        return config.linux_ && config.linux_->seccomp ? std::optional(std::move(config))
                                                       : std::nullopt;
    }
    spec::Linux& of_linux = config.linux_.emplace();
    if (sandbox::is_seccomp_file(source.profile)) {
        const sys::Fd file =
            sys::open_at(AT_FDCWD, source.profile, O_RDONLY | O_NONBLOCK | O_NOCTTY);
        of_linux.seccomp =
            in_context([&] { return printable(source.profile); },
                       [&] {
                           return spec::parse_seccomp_document(
                               sys::read_all(file.get(), spec::max_document_bytes, source.profile));
                       });
    } else {
        of_linux.seccomp = sandbox::compose_seccomp(source.profile);
    }
    return config;
}

security::SystemCall require_call(const SeccompQuestion& question) {
    std::optional<security::SystemCall> call = security::find_system_call(question.call);
    if (!call) {
        (void)sandbox::compose_seccomp("none,+" + question.call); // it may know what was meant
        throw_error(ErrorKind::usage, "libseccomp " + security::libseccomp_version() +
                                          " knows no system call '" + printable(question.call) +
                                          "' on this machine; no filter can name it, and what a "
                                          "filter does not know gets its default");
    }
    if (question.arguments.size() > call->arguments.size()) {
        throw_error(ErrorKind::usage, "a system call has six arguments at most");
    }
    std::copy(question.arguments.begin(), question.arguments.end(), call->arguments.begin());
    return *call;
}

std::string place_of(std::size_t rule) {
    return "/linux/seccomp/syscalls/" + std::to_string(rule);
}

std::string describe_reason(const plan::SeccompPlan& filter, const std::string& call,
                            std::optional<std::size_t> rule, std::uint32_t answer) {
    if (rule) {
        return place_of(*rule) +
               (filter.rules[*rule].args.empty() ? " names it" : " names it with such arguments");
    }
    if (answer != filter.default_action) {
        return "it is newer than every call that the filter names";
    }
    return std::string("no rule names it") +
           (plan::asks_for_arguments(filter, call) ? " with such arguments" : "") +
           ", so it gets /linux/seccomp/defaultAction";
}

std::string describe_cure(const SeccompQuestion& question, std::optional<std::size_t> rule) {
    const std::string& profile = question.source.profile;
    if (!profile.empty() && !sandbox::is_seccomp_file(profile)) {
        return "--seccomp " + profile + ",+" + question.call;
    }
    return (rule ? "take it out of " + place_of(*rule) + " and add " : std::string("add ")) +
           R"({"names": [")" + question.call +
           R"("], "action": "SCMP_ACT_ALLOW"} to /linux/seccomp/syscalls)";
}

} // namespace

SeccompVerdict judge_call(const SeccompQuestion& question) {
    const security::SystemCall call = require_call(question);
    const std::optional<spec::Config> config = load_filter(question.source);
    if (!config) {
        return {"allowed", "the configuration has no /linux/seccomp", "", false};
    }
    const plan::SeccompPlan filter = plan::make_seccomp_plan(*config);
    const std::uint32_t answer = security::answer_of(security::compile_seccomp(filter), call);
    const std::optional<std::size_t> rule = plan::find_rule(filter, question.call, call.arguments);
    SeccompVerdict verdict;
    verdict.answer = describe_answer(answer);
    verdict.reason = describe_reason(filter, question.call, rule, answer);
    if (plan::is_refusal(answer)) {
        verdict.cure = describe_cure(question, rule);
    }
    verdict.depends_on_arguments =
        question.arguments.empty() && plan::asks_for_arguments(filter, question.call);
    return verdict;
}

} // namespace coracle::container
