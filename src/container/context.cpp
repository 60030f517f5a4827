#include "context_private.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/host/detect.h"
#include "coracle/sys/file.h"
#include "coracle/sys/process.h"
#include "coracle/sys/procfs.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <fcntl.h>

namespace coracle::container {

namespace {

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr ? value : "";
}

bool is_run_user_ours(std::uint32_t uid) {
    std::optional<struct stat> status =
        sys::find_stat(AT_FDCWD, "/run/user/" + std::to_string(uid));
    return status && S_ISDIR(status->st_mode) && status->st_uid == uid;
}

[[noreturn]] void throw_missing(const std::string& id) {
    throw_error(ErrorKind::not_found, "container does not exist: " + id);
}

} // namespace

std::string state_root_path(const Context& context) {
    if (!context.root.empty()) {
        return context.root.starts_with('/') ? context.root
                                             : sys::current_directory() + "/" + context.root;
    }
    RootInputs inputs;
    inputs.euid = host::effective_uid();
    inputs.initial_user_namespace = inputs.euid != 0 || host::in_initial_user_namespace();
    inputs.xdg_runtime_dir = environment("XDG_RUNTIME_DIR");
    inputs.user = environment("USER");
    inputs.run_user_exists =
        inputs.xdg_runtime_dir.empty() && inputs.euid != 0 && is_run_user_ours(inputs.euid);
    std::string root = default_state_root(inputs);
    if (!root.starts_with('/')) {
        throw_error(ErrorKind::usage, "XDG_RUNTIME_DIR=" + printable(inputs.xdg_runtime_dir) +
                                          ": must be an absolute path; or give --root");
    }
    return root;
}

Found require_container(const Context& context, const std::string& id, StateRoot::Access access) {
    require_valid_id(id);
    std::optional<StateRoot> root =
        StateRoot::open(state_root_path(context), MissingRoot::is_empty, access);
    std::optional<ContainerDir> dir = root ? ContainerDir::find(*root, id) : std::nullopt;
    if (!dir) {
        throw_missing(id);
    }
    std::optional<spec::Record> record = dir->load();
    if (!record) {
        throw_error(ErrorKind::not_found, "container does not exist: the creation of " + id +
                                              " is not finished, or was broken off (delete --force "
                                              "cleans up)");
    }
    LiveInit init = find_init(*record, sys::open_proc().get());
    Status status = detect_status(*dir, *record, init);
    return {std::move(*dir), std::move(*record), std::move(init), status};
}

void kill_init(const LiveInit& init) {
    if (!init.pidfd) {
        return;
    }
    int errnum = sys::try_send_signal(init.pidfd.get(), SIGKILL);
    if (errnum != 0 && errnum != ESRCH) {
        throw_system(errnum, "kill the container's init");
    }
    if (!sys::wait_for_exit(init.pidfd.get(), std::chrono::seconds(10))) {
        throw_error(ErrorKind::system, "the container's init does not end within 10 seconds of "
                                       "SIGKILL: it hangs in the kernel");
    }
}

std::string timestamp_now() {
    struct timespec now {};
    (void)::clock_gettime(CLOCK_REALTIME, &now);
    std::string text = format_time(now.tv_sec);
    std::string nanoseconds = std::to_string(now.tv_nsec);
    text.pop_back(); // the Z comes after the fraction
    return text + "." + std::string(9 - nanoseconds.size(), '0') + nanoseconds + "Z";
}

} // namespace coracle::container
