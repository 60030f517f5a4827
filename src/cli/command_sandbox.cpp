#include "commands_private.h"
#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/sandbox/profile.h"

#include <CLI/CLI.hpp>

namespace coracle::cli {

namespace {

/// What is about this one run, and has no place in a profile.
struct Run {
    container::SandboxOptions options;
    std::string emit;
    std::string bundle;
    std::vector<std::string> profiles;
    std::vector<std::string> reset;
    bool dry_run = false;
    bool plan = false;
    bool json = false;
};

void add_run_options(CLI::App& app, Run& run) {
    app.add_option("--profile", run.profiles, "take the settings of a profile; options count more")
        ->type_name("NAME|FILE")
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    app.add_option("--reset", run.reset, "forget what profiles say of a setting")
        ->type_name("SETTING")
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    app.add_option("--name", run.options.id, "the container's id (default: one is made up)")
        ->type_name("ID");
    app.add_flag("--keep", run.options.keep, "do not delete the container when it ends");
    app.add_flag("--explain", run.options.explain,
                 "tell on standard error which system calls were refused, and what allows them");
    app.add_option("--info-fd", run.options.info_fd, "write pid and namespaces there, as JSON")
        ->type_name("FD")
        ->check(CLI::Range(0, 1 << 20));
    app.add_option("--json-status-fd", run.options.json_status_fd,
                   "write pid and namespaces, and at the end the exit code, as lines of JSON")
        ->type_name("FD")
        ->check(CLI::Range(0, 1 << 20));
    app.add_option("--emit", run.emit, "print the configuration (json), or write a bundle")
        ->check(CLI::IsMember({"json", "bundle"}));
    app.add_option("--bundle", run.bundle, "the directory that --emit bundle makes")
        ->type_name("DIR");
    app.add_flag("--dry-run", run.dry_run,
                 "print every step that would be taken, and change nothing");
    app.add_flag("--plan", run.plan, "tell how each step would go on this host, as `plan` does");
    app.add_flag("--json", run.json, "with --plan: a JSON document");
}

/// The values of each setting, as the command line gave them.
using Given = std::vector<std::vector<std::string>>;

void add_settings(CLI::App& app, Given& given, std::vector<bool>& flags) {
    const std::vector<sandbox::Setting>& settings = sandbox::settings();
    for (std::size_t i = 0; i < settings.size(); ++i) {
        std::string name = std::string("--") + settings[i].name;
        if (settings[i].kind == sandbox::SettingKind::flag) {
            app.add_flag_callback(
                name, [&flags, i] { flags[i] = true; }, settings[i].summary);
            continue;
        }
        bool list = settings[i].kind == sandbox::SettingKind::list;
        app.add_option(name, given[i], settings[i].summary)
            ->type_name(settings[i].placeholder)
            ->expected(1)
            ->multi_option_policy(list ? CLI::MultiOptionPolicy::TakeAll
                                       : CLI::MultiOptionPolicy::TakeLast);
    }
}

sandbox::Statements make_statements(const Given& given, const std::vector<bool>& flags,
                                    const std::vector<std::string>& reset) {
    sandbox::Statements statements;
    for (const std::string& name : reset) {
        in_context([] { return "--reset"; },
                   [&] { statements.reset.push_back(sandbox::setting_index(name)); });
    }
    for (std::size_t i = 0; i < given.size(); ++i) {
        const std::string where = std::string("--") + sandbox::settings()[i].name;
        for (const std::string& value : given[i]) {
            statements.values[i].push_back({value, where});
        }
        if (flags[i]) {
            statements.values[i].push_back({"true", where});
        }
    }
    return statements;
}

/// Profiles in their order, and the command line over them.
void apply_all(const Run& run, const sandbox::Statements& own, sandbox::Options& options) {
    const sandbox::Origin origin = sandbox::caller_origin();
    sandbox::Statements all;
    for (const std::string& reference : run.profiles) {
        const sandbox::Statements profile = in_context(
            [] { return "--profile"; },
            [&] { return sandbox::load_profile(reference, sandbox::profile_places(), origin); });
        lay_over(all, profile, origin);
    }
    lay_over(all, own, origin);
    apply(all, origin, options);
}

std::vector<std::string> take_command(const CLI::App& app) {
    std::vector<std::string> command = app.remaining();
    if (!command.empty() && command.front() == "--") {
        command.erase(command.begin());
    } else if (!command.empty() && command.front().starts_with('-')) {
        std::string nearest = sandbox::nearest_setting(command.front().substr(2));
        throw_error(ErrorKind::usage, "sandbox: unknown option " + printable(command.front()) +
                                          (nearest.empty() ? " (see coracle sandbox --help)"
                                                           : ": did you mean --" + nearest + "?"));
    }
    return command;
}

int emit(const Run& run) {
    std::string here = sandbox::caller_origin().directory;
    std::string bundle = run.bundle.starts_with('/') ? run.bundle : here + "/" + run.bundle;
    if (run.emit == "json") {
        print(container::make_sandbox_config(run.options.sandbox, clean_absolute(bundle)));
        return 0;
    }
    if (run.bundle.empty()) {
        throw_error(ErrorKind::usage, "sandbox: --emit bundle needs --bundle DIR");
    }
    container::write_sandbox_bundle(run.options.sandbox, clean_absolute(bundle));
    return 0;
}

} // namespace

int run_sandbox(const container::Context& context, std::vector<std::string> arguments) {
    Run run;
    CLI::App app("Run a program that may see and change little, with no bundle and no image",
                 "sandbox");
    Given given(sandbox::settings().size());
    std::vector<bool> flags(given.size());
    add_settings(app, given, flags);
    add_run_options(app, run);
    // The first word that is no option ends the options: what follows is the program's.
    app.prefix_command();
    app.footer("COMMAND [ARGUMENT...] follow the options, after -- if one begins with a dash.");
    if (!parse_arguments(app, std::move(arguments))) {
        return 0;
    }
    if (run.json && !run.plan) {
        throw_error(ErrorKind::usage, "sandbox: --json is for --plan");
    }
    run.options.sandbox.command = take_command(app);
    apply_all(run, make_statements(given, flags, run.reset), run.options.sandbox);
    if (!run.emit.empty()) {
        return emit(run);
    }
    if (run.plan) {
        return print_plan(context, container::plan_sandbox(context, run.options),
                          run.json ? ReportForm::json : ReportForm::text);
    }
    if (run.dry_run) {
        print(container::describe_sandbox(context, run.options));
        return 0;
    }
    return container::run_sandbox(context, run.options);
}

} // namespace coracle::cli
