#include "commands_private.h"

#include <CLI/CLI.hpp>

namespace coracle::cli {

namespace {

/// The options that create and run share.
void add_create_options(CLI::App& app, container::CreateOptions& options, bool& dry_run) {
    app.add_option("-b,--bundle", options.bundle, "the bundle directory")->type_name("DIR");
    app.add_option("-f,--config", options.config, "the configuration's name in the bundle")
        ->type_name("FILE");
    app.add_option("--console-socket", options.console_socket,
                   "AF_UNIX socket that receives the terminal's manager end")
        ->type_name("PATH");
    app.add_option("--pidfd-socket", options.pidfd_socket,
                   "AF_UNIX socket that receives a pidfd of the container's init")
        ->type_name("PATH");
    app.add_option("--pid-file", options.pid_file, "file that receives the pid of init")
        ->type_name("FILE");
    app.add_option("--preserve-fds", options.preserve_fds,
                   "pass fds 3 to 3 + N - 1 to the container, after those of LISTEN_FDS")
        ->type_name("N")
        ->check(CLI::Range(0, 1024));
    app.add_flag("--no-pivot", options.no_pivot,
                 "move the root instead of pivot_root (unsafe; for an initramfs)");
    app.add_flag("--no-new-keyring", options.no_new_keyring, "keep the caller's session keyring");
    app.add_flag("--dry-run", dry_run, "print every step that would be taken, and change nothing");
    app.add_option("ID", options.id, "the container's id")->required();
}

} // namespace

int run_create(const container::Context& context, std::vector<std::string> arguments) {
    container::CreateOptions options;
    bool dry_run = false;
    CLI::App app("Create a container, which waits for start", "create");
    add_create_options(app, options, dry_run);
    if (!parse_arguments(app, std::move(arguments))) {
        return 0;
    }
    if (dry_run) {
        print(container::describe_create(context, options));
        return 0;
    }
    container::create(context, options);
    return 0;
}

int run_run(const container::Context& context, std::vector<std::string> arguments) {
    container::RunOptions options;
    bool dry_run = false;
    bool no_subreaper = false;
    CLI::App app("Create and start a container", "run");
    add_create_options(app, options.create, dry_run);
    app.add_flag("-d,--detach", options.detach, "return once the program has been executed");
    app.add_flag("--keep", options.keep, "do not delete the container when it ends");
    app.add_flag("--explain", options.explain,
                 "print at the end which calls the seccomp filter has refused");
    app.add_flag("--no-subreaper", no_subreaper, "accepted for callers of other runtimes");
    if (!parse_arguments(app, std::move(arguments))) {
        return 0;
    }
    if (dry_run) {
        print(container::describe_run(context, options));
        return 0;
    }
    return container::run(context, options);
}

} // namespace coracle::cli
