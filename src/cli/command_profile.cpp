#include "commands_private.h"
#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/sandbox/profile.h"
#include "coracle/spec/reports.h"

#include <CLI/CLI.hpp>
#include <algorithm>

namespace coracle::cli {

namespace {

std::string make_table(const std::vector<spec::ListedProfile>& found) {
    std::size_t width = 8;
    for (const spec::ListedProfile& profile : found) {
        width = std::max(width, profile.name.size() + 2);
    }
    std::string text;
    for (const spec::ListedProfile& profile : found) {
        std::string name = profile.name;
        name.resize(width, ' ');
        text += name + printable(profile.path) + "\n" + std::string(width, ' ') +
                (profile.usable ? "" : "cannot be used: ") + printable(profile.description) + "\n";
    }
    return text;
}

/// What is wrong with one, or that nothing is.
std::vector<std::string> find_problems(const std::string& reference,
                                       const sandbox::Origin& origin) {
    try {
        return sandbox::check_profile(reference, sandbox::profile_places(), origin);
    } catch (const Error& error) { // catch: the others are checked too
        return {error.text()};
    }
}

int check(const std::vector<std::string>& references) {
    const sandbox::Origin origin = sandbox::caller_origin();
    int exit_code = 0;
    for (const std::string& reference : references) {
        const std::vector<std::string> problems = find_problems(reference, origin);
        for (const std::string& problem : problems) {
            print(problem + "\n");
            exit_code = 1;
        }
        if (problems.empty()) {
            print(printable(reference) + ": ok\n");
        }
    }
    return exit_code;
}

void show(const std::string& reference) {
    const sandbox::Origin origin = sandbox::caller_origin();
    sandbox::Profile profile = sandbox::read_profile(reference, sandbox::profile_places(), origin);
    if (!profile.problems.empty()) {
        throw_error(ErrorKind::invalid_config, profile.problems.front());
    }
    print(sandbox::write_profile(profile));
}

} // namespace

int run_profile(const container::Context& /*context*/, std::vector<std::string> arguments) {
    std::string action;
    std::vector<std::string> words;
    std::string format = "table";
    CLI::App app("Profiles of sandboxes: list those that have a name; show one with all that it "
                 "extends, as a profile; check files, and tell all that is wrong; print the JSON "
                 "schema, for editors",
                 "profile");
    app.add_option("ACTION", action, "list, show NAME|FILE, check NAME|FILE..., or schema")
        ->required()
        ->check(CLI::IsMember({"list", "show", "check", "schema"}));
    app.add_option("PROFILE", words, "what the action is about");
    app.add_option("-f,--format", format, "of list: table or json")
        ->check(CLI::IsMember({"table", "json"}));
    if (!parse_arguments(app, std::move(arguments))) {
        return 0;
    }
    const bool fits = action == "show"    ? words.size() == 1
                      : action == "check" ? !words.empty()
                                          : words.empty();
    if (!fits) {
        throw_error(ErrorKind::usage, "profile: it is `list`, `show NAME|FILE`, "
                                      "`check NAME|FILE...` or `schema`");
    }
    if (action == "check") {
        return check(words);
    }
    if (action == "list") {
        const std::vector<spec::ListedProfile> found =
            sandbox::list_profiles(sandbox::profile_places(), sandbox::caller_origin());
        print(format == "json" ? spec::write_profile_list(found) : make_table(found));
    } else if (action == "show") {
        show(words.front());
    } else {
        print(sandbox::write_profile_schema());
    }
    return 0;
}

} // namespace coracle::cli
