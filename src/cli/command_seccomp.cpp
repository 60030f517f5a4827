#include "commands_private.h"
#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/container/seccomp.h"
#include "coracle/sandbox/seccomp_profiles.h"
#include "coracle/spec/config_writer.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <limits>

namespace coracle::cli {

namespace {

/// Decimal, or hexadecimal behind 0x.
std::uint64_t parse_argument(const std::string& text) {
    constexpr std::uint64_t highest = std::numeric_limits<std::uint64_t>::max();
    std::optional<std::uint64_t> value = parse_unsigned(text, highest);
    if (!value && text.starts_with("0x") && text.size() > 2 && text.size() <= 18 &&
        text.find_first_not_of("0123456789abcdefABCDEF", 2) == std::string::npos) {
        value = 0;
        for (char digit : text.substr(2)) {
            const int number = digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10;
            value = *value << 4U | static_cast<unsigned>(number);
        }
    }
    if (!value) {
        throw_error(ErrorKind::usage, "'" + printable(text) +
                                          "': an argument is a number of 64 bits, decimal or "
                                          "hexadecimal behind 0x");
    }
    return *value;
}

std::vector<std::uint64_t> parse_arguments_of_call(const std::vector<std::string>& texts) {
    std::vector<std::uint64_t> values;
    std::transform(texts.begin(), texts.end(), std::back_inserter(values), parse_argument);
    return values;
}

std::string pad(std::string_view name) {
    std::string text = "  " + std::string(name);
    text.resize(std::max<std::size_t>(text.size() + 1, 20), ' ');
    return text;
}

std::string list_profiles() {
    std::string text = "Profiles:\n";
    for (const sandbox::SeccompProfile& profile : sandbox::seccomp_profiles()) {
        text += pad(profile.name) + std::string(profile.summary) + "\n";
    }
    text += "Groups:\n";
    for (const sandbox::SeccompGroup& group : sandbox::seccomp_groups()) {
        text += pad(group.name) + std::string(group.summary) + "\n";
    }
    return text;
}

std::string compose_document(const std::string& name) {
    return spec::write_seccomp_document(sandbox::compose_seccomp(name));
}

constexpr const char* depends = "depends on its arguments";

/// "ptrace: allowed (/linux/seccomp/syscalls/0 names it)"
std::string describe_in_a_line(const container::SeccompQuestion& question) {
    const container::SeccompVerdict verdict = container::judge_call(question);
    return question.call + ": " +
           (verdict.depends_on_arguments ? std::string(depends) + "; with zeros " : "") +
           verdict.answer + " (" + verdict.reason + ")\n";
}

std::string explain(const container::SeccompQuestion& question) {
    const container::SeccompVerdict verdict = container::judge_call(question);
    std::string text = question.call + ": " + verdict.answer + "\n";
    if (verdict.depends_on_arguments) {
        text = question.call + ": " + depends + ", which ARG may give; with zeros it is " +
               verdict.answer + "\n";
    }
    text += "why: " + verdict.reason + "\n";
    return verdict.cure.empty() ? text : text + "to allow it: " + verdict.cure + "\n";
}

} // namespace

int run_seccomp(const container::Context& /*context*/, std::vector<std::string> arguments) {
    std::string action;
    std::vector<std::string> words;
    CLI::App app("The seccomp profiles that are built in: list them; show one, or words such as "
                 "default,+@mount,-ptrace, as a linux.seccomp object; test what one does with a "
                 "system call",
                 "seccomp");
    app.add_option("ACTION", action, "list, show PROFILE, or test PROFILE CALL [ARG...]")
        ->required()
        ->check(CLI::IsMember({"list", "show", "test"}));
    app.add_option("WORD", words, "what the action asks for");
    if (!parse_arguments(app, std::move(arguments))) {
        return 0;
    }
    const bool fits = action == "list"   ? words.empty()
                      : action == "show" ? words.size() == 1
                                         : words.size() >= 2;
    if (!fits) {
        throw_error(ErrorKind::usage,
                    "seccomp: it is `list`, `show PROFILE` or `test PROFILE CALL [ARG...]`");
    }
    if (action == "test") {
        container::SeccompQuestion question;
        question.source.profile = words[0];
        question.call = words[1];
        question.arguments = parse_arguments_of_call({words.begin() + 2, words.end()});
        print(describe_in_a_line(question));
    } else {
        print(action == "list" ? list_profiles() : compose_document(words.front()));
    }
    return 0;
}

int run_explain(const container::Context& /*context*/, std::vector<std::string> arguments) {
    container::SeccompQuestion question;
    std::vector<std::string> values;
    CLI::App app("Tell what a seccomp filter does with a system call, why, and what would allow it",
                 "explain");
    app.add_option("--syscall", question.call, "the system call")->type_name("NAME")->required();
    app.add_option(
           "--seccomp", question.source.profile,
           "a profile, such as default,+@mount, or the path of a JSON file; else the filter "
           "of the bundle")
        ->type_name("PROFILE");
    app.add_option("-b,--bundle", question.source.bundle, "the bundle directory")->type_name("DIR");
    app.add_option("-f,--config", question.source.config, "the configuration's name in the bundle")
        ->type_name("FILE");
    app.add_option("ARG", values, "arguments of the system call, in their order");
    if (!parse_arguments(app, std::move(arguments))) {
        return 0;
    }
    question.arguments = parse_arguments_of_call(values);
    print(explain(question));
    return 0;
}

} // namespace coracle::cli
