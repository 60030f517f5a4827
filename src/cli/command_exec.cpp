#include "commands_private.h"
#include "coracle/base/error.h"
#include "coracle/base/text.h"

#include <CLI/CLI.hpp>
#include <optional>
#include <string_view>

namespace coracle::cli {

namespace {

/// What has another form in ExecOptions.
struct Typed {
    std::string user;
    bool tty = false;
    bool no_subreaper = false;
};

/// One value each time, so that the command's words are not taken for more.
CLI::Option* add_list(CLI::App& app, const char* names, std::vector<std::string>& values,
                      const char* help) {
    return app.add_option(names, values, help)->allow_extra_args(false)->take_all();
}

void add_process_options(CLI::App& app, container::ExecOptions& options, Typed& typed) {
    app.add_option("-p,--process", options.process_file,
                   "run what this process document says (see config.md of the runtime-spec)")
        ->type_name("FILE");
    app.add_option("--cwd", options.cwd, "current directory of the program")->type_name("DIR");
    add_list(app, "-e,--env", options.env, "set a variable; may be repeated")
        ->type_name("NAME=VALUE");
    app.add_option("-u,--user", typed.user, "numbers, as the container has them")
        ->type_name("UID[:GID]");
    app.add_option("-g,--additional-gids", options.additional_gids,
                   "add a supplementary group; may be repeated")
        ->type_name("GID")
        ->allow_extra_args(false)
        ->take_all();
    add_list(app, "-c,--cap", options.capabilities, "add a capability; may be repeated")
        ->type_name("CAP");
    app.add_flag("--no-new-privs", options.no_new_privileges,
                 "no program gains privileges by being executed");
    app.add_option("--process-label", options.selinux_label, "SELinux label of the process")
        ->type_name("LABEL");
    app.add_option("--apparmor", options.apparmor_profile, "AppArmor profile of the process")
        ->type_name("PROFILE");
}

void add_exec_options(CLI::App& app, container::ExecOptions& options, Typed& typed) {
    add_process_options(app, options, typed);
    app.add_flag("-t,--tty", typed.tty, "give it a terminal");
    app.add_option("--console-socket", options.console_socket,
                   "AF_UNIX socket that receives the terminal's manager end")
        ->type_name("PATH");
    app.add_option("--pidfd-socket", options.pidfd_socket,
                   "AF_UNIX socket that receives a pidfd of the process")
        ->type_name("PATH");
    app.add_flag("-d,--detach", options.detach, "return once the program has been executed");
    app.add_option("--pid-file", options.pid_file, "file that receives the pid of the process")
        ->type_name("FILE");
    app.add_option("--preserve-fds", options.preserve_fds, "pass fds 3 to 3 + N - 1 to the process")
        ->type_name("N")
        ->check(CLI::Range(0, 1024));
    app.add_option("--cgroup", options.cgroup,
                   "the cgroup to run it in, below the container's; / is that itself")
        ->type_name("PATH");
    app.add_flag("--ignore-paused", options.ignore_paused,
                 "start it in a paused container, where it runs once that is resumed");
    app.add_flag("--no-subreaper", typed.no_subreaper, "accepted for callers of other runtimes");
    // The first word that is no option ends the options: what follows is the program's.
    app.prefix_command();
    app.footer("ID COMMAND [ARGUMENT...] follow the options, or ID alone after --process.");
}

std::uint32_t parse_id(std::string_view text, const std::string& option) {
    constexpr std::uint64_t highest = 4294967294; // the one above is none
    std::optional<std::uint64_t> id = parse_unsigned(text, highest);
    if (!id) {
        throw_error(ErrorKind::usage, "--user " + printable(option) +
                                          ": must be UID or UID:GID in numbers up to 4294967294");
    }
    return static_cast<std::uint32_t>(*id);
}

void parse_user(const std::string& text, container::ExecOptions& options) {
    std::size_t colon = text.find(':');
    options.uid = parse_id(std::string_view(text).substr(0, colon), text);
    if (colon != std::string::npos) {
        options.gid = parse_id(std::string_view(text).substr(colon + 1), text);
    }
}

} // namespace

int run_exec(const container::Context& context, std::vector<std::string> arguments) {
    container::ExecOptions options;
    Typed typed;
    CLI::App app("Run one more process in a container", "exec");
    add_exec_options(app, options, typed);
    if (!parse_arguments(app, std::move(arguments))) {
        return 0;
    }
    std::vector<std::string> rest = app.remaining();
    if (rest.empty()) {
        throw_error(ErrorKind::usage, "exec: no container named: give its ID");
    }
    if (rest.front().size() > 1 && rest.front().starts_with('-')) {
        throw_error(ErrorKind::usage,
                    "exec: unknown option " + printable(rest.front()) + " (see exec --help)");
    }
    options.id = rest.front();
    options.args.assign(rest.begin() + 1, rest.end());
    if (app.count("--tty") > 0) {
        options.terminal = typed.tty;
    }
    if (app.count("--user") > 0) {
        parse_user(typed.user, options);
    }
    return container::exec(context, options);
}

} // namespace coracle::cli
