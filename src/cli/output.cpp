#include "commands_private.h"
#include "coracle/base/error.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdio>

namespace coracle::cli {

namespace {

/// With the line that a person types: the library knows the verb alone.
std::string make_usage(CLI::App& app) {
    if (app.get_name() != "coracle") {
        app.name("coracle " + app.get_name());
    }
    std::string text = app.help();
    const std::string shown = "[OPTIONS]";
    const std::size_t at = text.find(shown);
    if (app.get_prefix_command() && at != std::string::npos) {
        // The footer begins with the words that follow the options.
        const std::string words = app.get_footer();
        text.insert(at + shown.size(), " " + words.substr(0, words.find(" follow")));
    }
    return text;
}

} // namespace

bool parse_arguments(CLI::App& app, std::vector<std::string> arguments) {
    // Wrappers put options of their own before the user's: the last one counts.
    for (CLI::Option* option : app.get_options()) {
        bool list = option->get_multi_option_policy() == CLI::MultiOptionPolicy::TakeAll;
        if (option->nonpositional() && !list) {
            option->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
        }
    }
    // CLI11 takes the arguments last one first.
    std::reverse(arguments.begin(), arguments.end());
    try {
        app.parse(std::move(arguments));
    } catch (const CLI::CallForHelp&) { // catch: the library's way to say --help
        print(make_usage(app));
        return false;
    } catch (const CLI::ParseError& error) { // catch: into our own vocabulary
        std::string text = error.what();
        std::replace(text.begin(), text.end(), '\n', ' ');
        std::string verb = app.get_name() == "coracle" ? "" : app.get_name() + " ";
        throw Error(ErrorKind::usage, text + " (see coracle " + verb + "--help)");
    }
    return true;
}

void print(const std::string& text) {
    bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
    int saved = errno;
    if (std::fflush(stdout) != 0) {
        written = false;
        saved = errno;
    }
    if (!written) {
        throw_system(saved, "write standard output");
    }
}

} // namespace coracle::cli
