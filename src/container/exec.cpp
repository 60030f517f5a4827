#include "coracle/launch/exec.h"

#include "bundle_private.h"
#include "cgroup_private.h"
#include "coracle/base/error.h"
#include "coracle/base/log.h"
#include "coracle/base/text.h"
#include "coracle/host/container_facts.h"
#include "coracle/host/detect.h"
#include "coracle/host/landlock.h"
#include "coracle/host/security_modules.h"
#include "coracle/plan/make_launch_plan.h"
#include "coracle/sys/file.h"
#include "coracle/sys/process.h"
#include "coracle/sys/procfs.h"
#include "coracle/sys/terminal.h"
#include "exec_process_private.h"
#include "filter_store_private.h"
#include "foreground_private.h"
#include "handover_private.h"
#include "passed_fds_private.h"
#include "pid_file_private.h"
#include "seccomp_agent_private.h"

#include <csignal>
#include <fcntl.h>
#include <unistd.h>

namespace coracle::container {

namespace {

void require_living(const Found& found, const ExecOptions& options) {
    const std::string& id = options.id;
    switch (found.status) {
    case Status::creating:
        throw_error(ErrorKind::wrong_state,
                    "cannot exec in container " + id + ": it is still being created");
    case Status::stopped:
        throw_error(ErrorKind::wrong_state,
                    "cannot exec in a stopped container: container not running: " + id);
    case Status::paused:
        if (!options.ignore_paused) {
            throw_error(ErrorKind::wrong_state, "cannot exec in a paused container: " + id +
                                                    " (resume it, or give --ignore-paused)");
        }
        break;
    case Status::created:
    case Status::running:
        break;
    }
}

/// Puts the program where the payload is, or where --cgroup says.
launch::PlaceInCgroup make_placement(const ExecOptions& options, const Found& found, int proc_fd) {
    std::optional<cgroup::Location> location = find_location(found.record);
    if (!location) {
        if (!options.cgroup.empty()) {
            throw_error(ErrorKind::unsupported,
                        "exec: --cgroup: container " + options.id + " has no cgroup of its own" +
                            (found.record.no_cgroup.empty() ? "" : ": " + found.record.no_cgroup));
        }
        return [](pid_t) {};
    }
    std::string sub = location->sub;
    if (!options.cgroup.empty()) {
        sub = clean_absolute(options.cgroup);
        sub = sub == "/" ? "" : sub;
    }
    return [=, where = *location, init = found.record.pid,
            named = !options.cgroup.empty()](pid_t pid) {
        std::string fallback = named ? "" : sys::read_cgroup_path(proc_fd, std::to_string(init));
        cgroup::place(where, sub, fallback, pid);
    };
}

/// /proc/PID of init, which the pidfd says is not another's.
sys::Fd open_process_directory(const Found& found, int proc_fd) {
    sys::Fd directory =
        sys::open_at(proc_fd, std::to_string(found.record.pid), O_PATH | O_DIRECTORY);
    if (sys::wait_for_exit(found.init.pidfd.get(), std::chrono::milliseconds(0))) {
        throw_error(ErrorKind::wrong_state, "container not running: its init has ended");
    }
    return directory;
}

plan::ExecLaunchPlan make_plan(const Context& context, const ExecOptions& options,
                               const Found& found, int directory, int proc_fd) {
    spec::Config config = interpret_config(found.dir.load_config());
    config.process = make_exec_process(config.process, options);
    plan::ExecOptions choice;
    choice.id = options.id;
    choice.join_session_keyring = found.record.session_keyring;
    choice.preserve_fds = options.preserve_fds;
    choice.strict = context.strict;
    choice.init = static_cast<std::int32_t>(found.record.pid);
    host::Facts facts = host::detect_facts(proc_fd);
    if (plan::needs_security_modules(config)) {
        facts.security_modules = host::detect_security_modules(proc_fd);
    }
    if (plan::needs_landlock(config)) {
        facts.landlock = host::detect_landlock();
    }
    return plan::make_exec_plan(config, facts, host::detect_container_facts(proc_fd, directory),
                                choice);
}

void report_degradations(const plan::ExecLaunchPlan& plan,
                         const std::vector<plan::Degradation>& taken) {
    if (plan.strict && !taken.empty()) {
        throw_error(ErrorKind::unsupported,
                    taken.front().what + ": " + taken.front().why + " (--strict)");
    }
    for (const std::vector<plan::Degradation>* list : {&plan.degradations, &taken}) {
        for (const plan::Degradation& entry : *list) {
            log::debug(entry.what + ": " + entry.why);
        }
    }
}

/// A container that ends meanwhile makes any step fail, with whatever error.
void bring_up(launch::ExecLaunch& launch, const Found& found, const std::string& id) {
    try {
        launch.bring_up();
    } catch (const Error& error) { // catch: tells the cause, rethrows what has another
        if (!sys::wait_for_exit(found.init.pidfd.get(), std::chrono::milliseconds(0))) {
            throw;
        }
        throw_error(ErrorKind::wrong_state,
                    "container not running: " + id + " has ended meanwhile: " + error.text());
    }
}

/// The pid file last: nothing may fail after it, and it says that the program was executed.
void start(launch::ExecLaunch& launch, const spec::Record& record, const ExecOptions& options) {
    launch.start(connect_to_agent(record, launch.pid()));
    if (!options.pid_file.empty()) {
        write_pid_file(options.pid_file, options.id, launch.pid());
    }
    launch.release();
}

} // namespace

int exec(const Context& context, const ExecOptions& options) {
    sys::Fd proc = sys::open_proc();
    Found found = require_container(context, options.id);
    require_living(found, options);
    sys::Fd directory = open_process_directory(found, proc.get());
    plan::ExecLaunchPlan plan = make_plan(context, options, found, directory.get(), proc.get());
    require_passed_fds(plan.exec.process.preserve_fds);
    require_console(plan.exec.process.terminal, options.console_socket,
                    options.detach || !options.console_socket.empty() ? ConsoleHolder::socket
                                                                      : ConsoleHolder::foreground);
    sys::Fd console_socket = connect_if_named(options.console_socket, "--console-socket");
    sys::Fd pidfd_socket = connect_if_named(options.pidfd_socket, "--pidfd-socket");
    if (!options.detach) {
        block_signals();
    }
    launch::ExecLaunch launch(plan, proc.get(), {found.init.pidfd.get(), directory.get()},
                              make_placement(options, found, proc.get()),
                              [&found](const plan::SeccompPlan& seccomp) {
                                  return compile_filter(found.dir.root_fd(), seccomp);
                              });
    bring_up(launch, found, options.id);
    report_degradations(plan, launch.degraded());
    sys::Fd console = launch.take_console();
    if (console_socket) {
        send_console(console_socket, console);
        console.reset();
        console_socket.reset();
    }
    if (pidfd_socket) {
        send_pidfd(pidfd_socket, launch.pidfd(), "--pidfd-socket");
        pidfd_socket.reset();
    }
    sys::copy_window_size(STDIN_FILENO, console.get()); // before the program asks for it
    start(launch, found.record, options);
    if (options.detach) {
        return 0;
    }
    return sys::exit_code_of(
        attend(launch.pid(), launch.pidfd(), std::move(console), Care{}).status);
}

} // namespace coracle::container
