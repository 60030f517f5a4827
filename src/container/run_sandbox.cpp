#include "bundle_private.h"
#include "context_private.h"
#include "coracle/base/error.h"
#include "coracle/base/log.h"
#include "coracle/base/names.h"
#include "coracle/base/text.h"
#include "coracle/sandbox/egress.h"
#include "coracle/sandbox/make_bundle.h"
#include "coracle/sandbox/network.h"
#include "coracle/spec/annotations.h"
#include "coracle/spec/config_writer.h"
#include "coracle/sys/directory.h"
#include "coracle/sys/file.h"
#include "coracle/sys/process.h"
#include "coracle/sys/procfs.h"
#include "network_filter_private.h"
#include "network_helper_private.h"
#include "plan_report_private.h"
#include "run_private.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/vfs.h>
#include <unistd.h>

namespace coracle::container {

namespace {

constexpr mode_t private_mode = 0700;

/// "sandbox-1234-18c2f0a1": the pid is of this process, the rest tells apart those that had it.
std::string make_up_id() {
    constexpr std::string_view digits = "0123456789abcdef";
    auto now = std::chrono::system_clock::now().time_since_epoch().count();
    std::string text;
    for (int i = 0; i < 8; ++i) {
        text += digits[static_cast<std::size_t>(now >> (10 + 4 * i) & 15)];
    }
    return "sandbox-" + std::to_string(::getpid()) + "-" + text;
}

struct Prepared {
    Context context;
    CreateOptions create;
    Decision decision;
};

void require_landlock(const sandbox::Options& options, const plan::LaunchPlan& plan) {
    if (options.landlock != sandbox::Wall::required) {
        return;
    }
    for (const plan::Degradation& lack : plan.degradations) {
        if (lack.what.find(spec::landlock_annotation) != std::string::npos) {
            throw_error(ErrorKind::unsupported, "landlock required: " + lack.why);
        }
    }
}

Prepared prepare(const Context& context, const SandboxOptions& options, int proc_fd) {
    Prepared prepared{context, {}, {}};
    prepared.create.id = options.id.empty() ? make_up_id() : options.id;
    require_valid_id(prepared.create.id);
    std::string directory = state_directory_in(state_root_path(context), prepared.create.id);
    sandbox::Bundle made = sandbox::make_bundle(options.sandbox, directory);
    // A scope takes longer than all the rest: it is made for a limit, and not for itself.
    if (!made.limited && context.cgroup_manager.empty()) {
        prepared.context.cgroup_manager = "disabled";
    }
    plan::Explain explain = options.explain ? plan::Explain::refused_calls : plan::Explain::nothing;
    prepared.decision =
        decide(prepared.context, prepared.create, take_bundle(std::move(made), directory),
               {plan::GateKind::channel, Caller::stays_until_end, explain}, proc_fd);
    require_landlock(options.sandbox, prepared.decision.plan);
    return prepared;
}

bool has_secrets(const sandbox::Options& options) {
    return std::any_of(options.files.begin(), options.files.end(),
                       [](const sandbox::MadeFile& file) { return file.secret; });
}

/// A secret is in the state directory until the sandbox is deleted.
void require_memory(const sandbox::Options& options, const std::string& root) {
    if (!has_secrets(options)) {
        return;
    }
    constexpr long tmpfs = 0x01021994; // statfs(2)
    constexpr long ramfs = 0x858458f6;
    sys::Fd directory = [&] {
        std::optional<StateRoot> opened = StateRoot::open(root, MissingRoot::make);
        return sys::duplicate(opened->fd());
    }();
    struct statfs status {};
    if (::fstatfs(directory.get(), &status) != 0 ||
        (status.f_type != tmpfs && status.f_type != ramfs)) {
        throw_error(ErrorKind::unsupported,
                    "secret: the state root " + printable(root) +
                        " is on a disk: set XDG_RUNTIME_DIR to a directory of yours in memory, or "
                        "give such a one by --root");
    }
}

/// The namespaces of the process that are not the caller's.
std::map<std::string, std::uint64_t> find_own_namespaces(int proc_fd, pid_t pid) {
    std::map<std::string, std::uint64_t> namespaces;
    for (NamespaceKind kind : namespace_kinds()) {
        std::string name = proc_name_of(kind);
        std::string path = std::to_string(pid) + "/ns/" + name;
        std::string link = sys::read_link(proc_fd, path);
        std::size_t open = link.find('[');
        std::optional<std::uint64_t> inode = parse_unsigned(
            std::string_view(link).substr(open + 1, link.size() - open - 2), UINT64_MAX);
        if (inode && link != sys::read_link(proc_fd, "self/ns/" + name)) {
            namespaces.emplace(name, *inode);
        }
    }
    return namespaces;
}

void tell(int fd, const std::string& line, const char* option) {
    if (fd >= 0) {
        in_context([&] { return std::string(option); },
                   [&] { sys::write_all(fd, line, "fd " + std::to_string(fd)); });
    }
}

void require_open(int fd, const char* option) {
    if (fd >= 0 && ::fcntl(fd, F_GETFD) < 0) {
        throw_system(EBADF, std::string(option) + " " + std::to_string(fd));
    }
}

/// prctl(2), PR_SET_PDEATHSIG: of the thread that made this process.
void end_with_parent() {
    pid_t parent = ::getppid();
    (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) { // it has ended before
        ::_exit(128 + SIGKILL);
    }
}

/// What a sandbox has of the host's programs.
struct Programs {
    std::vector<std::string> pasta; ///< its command; empty: none
    sandbox::NetworkFilter filter;
};

Programs find_programs(const sandbox::Options& options) {
    return {sandbox::make_pasta_command(options), sandbox::make_network_filter(options)};
}

int exit_code_of(const End& end, const sandbox::Options& options) {
    if (end.timed_out) {
        log::error("the time of the sandbox is over: killed after " +
                   std::to_string(options.timeout.value_or(std::chrono::milliseconds{}).count()) +
                   " ms (--timeout)");
        return timeout_exit_code;
    }
    return end.signal != 0 ? 128 + end.signal : sys::exit_code_of(end.status);
}

End run_explained(const Prepared& prepared, const ForegroundRun& run, int proc_fd) {
    try {
        return run_in_foreground(prepared.context, prepared.create, prepared.decision, run,
                                 proc_fd);
    } catch (Error& error) { // catch: adds the cure, rethrows
        error.explain(error.errnum() == EROFS
                          ? "nothing can be made in what the host shows read-only: take a place "
                            "below /tmp, /run or the home directory, or one that exists"
                          : "");
        throw;
    }
}

/// A configuration has no field for it.
void require_no_helper(const sandbox::Options& options) {
    if (options.network == sandbox::Network::pasta) {
        throw_error(ErrorKind::usage, "--emit: --net pasta is a program beside the container, and "
                                      "no part of a bundle: leave it out");
    }
}

void fill_bundle(const sandbox::Bundle& made, const std::string& bundle) {
    sys::Fd directory = sys::open_at(AT_FDCWD, bundle, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    make_entries(directory.get(), made.entries);
    sys::Fd file = sys::open_at(directory.get(), "config.json", O_WRONLY | O_CREAT | O_EXCL, 0600);
    sys::write_all(file.get(), spec::write_config(made.config, spec::ConfigLayout::tabs),
                   "config.json");
    sys::close_written(std::move(file), "config.json");
}

} // namespace

int run_sandbox(const Context& context, const SandboxOptions& options) {
    if (options.sandbox.die_with_parent) {
        end_with_parent();
    }
    require_open(options.info_fd, "--info-fd");
    require_open(options.json_status_fd, "--json-status-fd");
    sys::Fd proc = sys::open_proc();
    Prepared prepared = prepare(context, options, proc.get());
    require_memory(options.sandbox, state_root_path(context));
    const Programs programs = find_programs(options.sandbox);
    std::optional<NetworkHelper> network;
    ForegroundRun run;
    run.keep = options.keep;
    run.explain = options.explain;
    run.time_limit = options.sandbox.timeout;
    run.unhandled = UnhandledSignals::end_it;
    run.before_start = [&](pid_t init) {
        if (!programs.filter.program.empty()) {
            apply_network_filter(programs.filter, init); // before there is a way out
        }
        if (!programs.pasta.empty()) {
            network.emplace(programs.pasta, init);
        }
        if (options.info_fd >= 0 || options.json_status_fd >= 0) {
            std::string line =
                spec::write_sandbox_info(init, find_own_namespaces(proc.get(), init));
            tell(options.info_fd, line, "--info-fd");
            tell(options.json_status_fd, line, "--json-status-fd");
        }
    };
    End end = run_explained(prepared, run, proc.get());
    int exit_code = exit_code_of(end, options.sandbox);
    try {
        tell(options.json_status_fd, spec::write_sandbox_exit(exit_code), "--json-status-fd");
    } catch (const Error& error) { // catch: the program has run, and its exit code is not lost
        log::warning(error.text());
    }
    return exit_code;
}

std::string describe_sandbox(const Context& context, const SandboxOptions& options) {
    sys::Fd proc = sys::open_proc();
    const Programs programs = find_programs(options.sandbox);
    const std::string& egress = programs.filter.description;
    return plan::describe(prepare(context, options, proc.get()).decision.plan) +
           (egress.empty() ? "" : "network filter: egress to " + egress + "\n") +
           (programs.pasta.empty() ? "" : "network helper: " + join(programs.pasta, " ") + "\n");
}

spec::PlanReport plan_sandbox(const Context& context, const SandboxOptions& options) {
    sys::Fd proc = sys::open_proc();
    Context lenient = context; // every step is shown, not the first that --strict refuses
    lenient.strict = false;
    try {
        const Programs programs = find_programs(options.sandbox);
        spec::PlanReport report =
            make_plan_report(prepare(lenient, options, proc.get()).decision, proc.get());
        if (!programs.filter.program.empty()) {
            report.steps.push_back(
                {"network", "egress to " + programs.filter.description, spec::Outlook::ok, ""});
        }
        if (!programs.pasta.empty()) {
            report.steps.push_back({"network", join(programs.pasta, " "), spec::Outlook::ok, ""});
        }
        return report;
    } catch (const Error& error) { // catch: it is the answer
        if (error.kind() == ErrorKind::usage) {
            throw;
        }
        return {options.id, "", {{"sandbox", "options", spec::Outlook::will_fail, error.text()}}};
    }
}

std::string make_sandbox_config(const sandbox::Options& options, const std::string& bundle) {
    require_no_helper(options);
    return spec::write_config(sandbox::make_bundle(options, bundle).config,
                              spec::ConfigLayout::tabs);
}

void write_sandbox_bundle(const sandbox::Options& options, const std::string& bundle) {
    require_no_helper(options);
    if (has_secrets(options)) {
        throw_error(ErrorKind::usage, "--secret: a bundle would keep it on a disk: leave it out, "
                                      "and add a mount of it where the bundle is run");
    }
    sandbox::Bundle made = sandbox::make_bundle(options, bundle);
    int errnum = sys::try_make_directory(AT_FDCWD, bundle, private_mode);
    if (errnum == EEXIST) {
        throw_error(ErrorKind::wrong_state,
                    "bundle " + printable(bundle) + ": it exists: name a new directory");
    }
    if (errnum != 0) {
        throw_system(errnum, "make the directory " + printable(bundle));
    }
    try {
        fill_bundle(made, bundle);
    } catch (const std::exception&) { // catch: takes away what is half made, rethrows
        sys::remove_tree(AT_FDCWD, bundle);
        throw;
    }
}

} // namespace coracle::container
