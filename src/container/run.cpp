#include "coracle/base/error.h"
#include "coracle/base/log.h"
#include "coracle/sys/process.h"
#include "coracle/sys/procfs.h"
#include "coracle/sys/terminal.h"
#include "creation_private.h"
#include "explainer_private.h"
#include "handover_private.h"
#include "notify_private.h"
#include "passed_fds_private.h"
#include "run_private.h"

#include <csignal>
#include <optional>
#include <sys/wait.h>
#include <unistd.h>

namespace coracle::container {

namespace {

/// What a filter has done to the program, for who sits before it.
void tell_of_filter(const Decision& decision, int status, const Explainer* explainer) {
    if (decision.plan.seccomp && WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) {
        log::error(std::string("killed by seccomp: the program made a system call that its filter "
                               "does not allow") +
                   (explainer == nullptr ? "; run with --explain to see which call" : ""));
    }
    if (explainer != nullptr) {
        for (const std::string& line : explainer->report()) {
            log::error(line);
        }
    }
}

End attend_started(Creation& creation, const ForegroundRun& run, const Care& care) {
    sys::Fd console = creation.take_console();
    sys::copy_window_size(STDIN_FILENO, console.get()); // before the program asks for it
    if (run.before_start) {
        run.before_start(creation.pid());
    }
    launch::TakeListener take_listener;
    if (care.explainer != nullptr) {
        take_listener = [&care](sys::Fd listener) { care.explainer->take(std::move(listener)); };
    }
    creation.start(take_listener);
    creation.unlock();
    End end = attend(creation.pid(), creation.pidfd(), std::move(console), care);
    if (run.keep) {
        creation.keep();
    }
    return end;
}

} // namespace

End run_in_foreground(const Context& context, const CreateOptions& options,
                      const Decision& decision, const ForegroundRun& run, int proc_fd) {
    require_passed_fds(decision.plan.init.process.preserve_fds);
    require_console(decision.plan.init.process.terminal, options.console_socket,
                    ConsoleHolder::foreground);
    block_signals();
    Care care;
    care.time_limit = run.time_limit;
    if (decision.plan.init.own_pid_namespace) {
        care.unhandled = run.unhandled;
    } else {
        sys::become_subreaper();
        care.orphans = Orphans::adopt;
    }
    std::optional<NotifyProxy> notify;
    if (decision.notifies) {
        care.notify = &notify.emplace();
    }
    std::optional<Explainer> explainer;
    if (run.explain) {
        care.explainer = &explainer.emplace(decision.bundle.config, proc_fd);
    }
    Creation creation(context, options, decision, proc_fd);
    creation.bring_up();
    if (notify) {
        notify->take(creation.take_notify_socket());
    }
    End end = attend_started(creation, run, care);
    tell_of_filter(decision, end.status, care.explainer);
    return end;
}

namespace {

int run_detached(const Context& context, const CreateOptions& options, const Decision& decision,
                 int proc_fd) {
    require_passed_fds(decision.plan.init.process.preserve_fds);
    require_console(decision.plan.init.process.terminal, options.console_socket,
                    ConsoleHolder::socket);
    std::optional<NotifyProxy> notify;
    if (decision.notifies) {
        notify.emplace();
    }
    Creation creation(context, options, decision, proc_fd);
    creation.bring_up();
    if (notify) {
        notify->take(creation.take_notify_socket());
    }
    creation.start();
    creation.keep();
    creation.unlock();
    if (notify) {
        notify->await_ready(creation.pid(), creation.pidfd());
    }
    return 0;
}

} // namespace

int run(const Context& context, const RunOptions& options) {
    sys::Fd proc = sys::open_proc();
    Decision decision = decide(context, options.create, manner_of(options), proc.get());
    if (options.detach) {
        return run_detached(context, options.create, decision, proc.get());
    }
    ForegroundRun foreground;
    foreground.keep = options.keep;
    foreground.explain = options.explain;
    End end = run_in_foreground(context, options.create, decision, foreground, proc.get());
    return sys::exit_code_of(end.status);
}

} // namespace coracle::container
