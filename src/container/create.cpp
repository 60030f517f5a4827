#include "context_private.h"
#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/host/cgroup_facts.h"
#include "coracle/host/detect.h"
#include "coracle/host/id_ranges.h"
#include "coracle/host/landlock.h"
#include "coracle/host/resctrl.h"
#include "coracle/host/security_modules.h"
#include "coracle/sys/fd.h"
#include "coracle/sys/procfs.h"
#include "creation_private.h"
#include "handover_private.h"
#include "notify_private.h"
#include "passed_fds_private.h"

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <unistd.h>

namespace coracle::container {

namespace {

std::uint32_t listen_fds_of_environment() {
    const char* text = std::getenv("LISTEN_FDS");
    const char* pid = std::getenv("LISTEN_PID");
    bool for_another = pid != nullptr && std::to_string(::getpid()) != pid;
    if (text == nullptr || for_another) { // sd_listen_fds(3)
        return 0;
    }
    std::optional<std::uint64_t> count = parse_unsigned(text, 1024);
    if (!count) {
        throw_error(ErrorKind::usage,
                    "LISTEN_FDS=" + printable(text) + ": must be a number up to 1024; unset it");
    }
    return static_cast<std::uint32_t>(*count);
}

plan::CgroupManager cgroup_manager_of(const Context& context) {
    return context.cgroup_manager == "systemd"    ? plan::CgroupManager::systemd
           : context.cgroup_manager == "cgroupfs" ? plan::CgroupManager::cgroupfs
           : context.cgroup_manager == "disabled" ? plan::CgroupManager::disabled
                                                  : plan::CgroupManager::automatic;
}

plan::LaunchOptions make_launch_options(const Context& context, const CreateOptions& options,
                                        const Bundle& bundle, const Manner& manner) {
    plan::LaunchOptions launch;
    launch.id = options.id;
    launch.bundle = bundle.path;
    launch.gate = manner.gate;
    launch.pivot = !options.no_pivot;
    launch.new_session_keyring = !options.no_new_keyring;
    launch.preserve_fds = options.preserve_fds;
    launch.listen_fds = listen_fds_of_environment();
    const char* names = std::getenv("LISTEN_FDNAMES");
    launch.listen_fd_names = names != nullptr ? names : "";
    launch.cgroup_manager = cgroup_manager_of(context);
    launch.lenient_cgroup = context.lenient_cgroup;
    launch.strict = context.strict;
    launch.attended = manner.caller == Caller::stays_until_end;
    launch.explain = manner.explain;
    return launch;
}

host::Facts detect_facts(const Context& context, const spec::Config& config, int proc_fd) {
    host::Facts facts = host::detect_facts(proc_fd);
    if (context.cgroup_manager != "disabled") {
        facts.cgroup = host::detect_cgroup(proc_fd, facts);
    }
    if (plan::needs_id_ranges(config, facts)) {
        facts.id_ranges = host::detect_id_ranges(facts.euid);
    }
    if (plan::needs_security_modules(config)) {
        facts.security_modules = host::detect_security_modules(proc_fd);
    }
    if (plan::needs_landlock(config)) {
        facts.landlock = host::detect_landlock();
    }
    if (config.linux_ && config.linux_->intel_rdt) {
        facts.resctrl = host::find_resctrl(proc_fd);
    }
    return facts;
}

} // namespace

void require_passed_fds(std::uint32_t count) {
    for (std::uint32_t number = 3; number < 3 + count; ++number) {
        int flags = ::fcntl(static_cast<int>(number), F_GETFD);
        // What the caller left open has no FD_CLOEXEC, and everything of ours has it.
        if (flags < 0 || (flags & FD_CLOEXEC) != 0) {
            throw_system(EBADF, "--preserve-fds or LISTEN_FDS: fd " + std::to_string(number) +
                                    " is not open");
        }
    }
    sys::close_on_exec_from(3 + count);
}

Decision decide(const Context& context, const CreateOptions& options, const Manner& manner,
                int proc_fd) {
    require_valid_id(options.id);
    return decide(context, options, load_bundle(options.bundle, options.config), manner, proc_fd);
}

Decision decide(const Context& context, const CreateOptions& options, Bundle bundle,
                const Manner& manner, int proc_fd) {
    require_valid_id(options.id);
    Decision decision;
    decision.bundle = std::move(bundle);
    if (has_service_manager()) {
        decision.notifies = plan::add_notify_socket(
            decision.bundle.config, notify_socket_in(state_root_path(context), options.id));
    }
    decision.plan = in_context(
        [&] { return decision.bundle.name; },
        [&] {
            return plan::make_launch_plan(
                decision.bundle.config, detect_facts(context, decision.bundle.config, proc_fd),
                make_launch_options(context, options, decision.bundle, manner));
        });
    return decision;
}

Manner manner_of(const RunOptions& options) {
    if (options.explain && options.detach) {
        throw_error(ErrorKind::usage, "--explain: this process has to stay to see what is refused: "
                                      "leave out --detach");
    }
    return {plan::GateKind::channel, options.detach ? Caller::leaves : Caller::stays_until_end,
            options.explain ? plan::Explain::refused_calls : plan::Explain::nothing};
}

void create(const Context& context, const CreateOptions& options) {
    sys::Fd proc = sys::open_proc();
    Decision decision =
        decide(context, options, {plan::GateKind::socket, Caller::leaves, {}}, proc.get());
    require_passed_fds(decision.plan.init.process.preserve_fds);
    require_console(decision.plan.init.process.terminal, options.console_socket,
                    ConsoleHolder::socket);
    Creation creation(context, options, decision, proc.get());
    creation.bring_up();
    creation.keep();
}

std::string describe_create(const Context& context, const CreateOptions& options) {
    sys::Fd proc = sys::open_proc();
    Decision decision =
        decide(context, options, {plan::GateKind::socket, Caller::leaves, {}}, proc.get());
    require_console(decision.plan.init.process.terminal, options.console_socket,
                    ConsoleHolder::socket);
    return plan::describe(decision.plan);
}

std::string describe_run(const Context& context, const RunOptions& options) {
    sys::Fd proc = sys::open_proc();
    Decision decision = decide(context, options.create, manner_of(options), proc.get());
    require_console(decision.plan.init.process.terminal, options.create.console_socket,
                    options.detach ? ConsoleHolder::socket : ConsoleHolder::foreground);
    return plan::describe(decision.plan);
}

} // namespace coracle::container
