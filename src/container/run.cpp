#include "coracle/base/error.h"
#include "coracle/sys/process.h"
#include "coracle/sys/procfs.h"
#include "coracle/sys/terminal.h"
#include "creation_private.h"
#include "foreground_private.h"
#include "handover_private.h"
#include "notify_private.h"
#include "passed_fds_private.h"

#include <optional>
#include <unistd.h>

namespace coracle::container {

namespace {

int run_in_foreground(Creation& creation, const RunOptions& options, Orphans orphans,
                      NotifyProxy* notify) {
    sys::Fd console = creation.take_console();
    sys::copy_window_size(STDIN_FILENO, console.get()); // before the program asks for it
    creation.start();
    creation.unlock();
    int status = attend(creation.pid(), creation.pidfd(), std::move(console), orphans, notify);
    if (options.keep) {
        creation.keep();
    }
    return sys::exit_code_of(status);
}

} // namespace

int run(const Context& context, const RunOptions& options) {
    sys::Fd proc = sys::open_proc();
    Decision decision = decide(context, options.create, plan::GateKind::channel, proc.get());
    require_passed_fds(decision.plan.init.process.preserve_fds);
    require_console(decision.plan.init.process.terminal, options.create.console_socket,
                    options.detach ? ConsoleHolder::socket : ConsoleHolder::foreground);
    Orphans orphans = Orphans::none;
    if (!options.detach) {
        block_signals();
        if (!decision.plan.init.own_pid_namespace) {
            sys::become_subreaper();
            orphans = Orphans::adopt;
        }
    }
    std::optional<NotifyProxy> notify;
    if (decision.notifies) {
        notify.emplace();
    }
    Creation creation(context, options.create, decision, proc.get());
    creation.bring_up();
    if (notify) {
        notify->take(creation.take_notify_socket());
    }
    if (!options.detach) {
        return run_in_foreground(creation, options, orphans, notify ? &*notify : nullptr);
    }
    creation.start();
    creation.keep();
    creation.unlock();
    if (notify) {
        notify->await_ready(creation.pid(), creation.pidfd());
    }
    return 0;
}

} // namespace coracle::container
