#include "context_private.h"
#include "coracle/base/error.h"
#include "coracle/base/log.h"
#include "coracle/sys/procfs.h"
#include "hooks_private.h"
#include "pid_file_private.h"

namespace coracle::container {

namespace {

/// The record, if it can be had. With force, a damaged one does not keep the directory: its copy
/// serves, or what is left of it.
std::optional<spec::Record> load_record(const ContainerDir& dir, Force force) {
    try {
        return dir.load();
    } catch (const Error& error) { // catch: force removes what is damaged
        // A host that has no fd or memory left says nothing about the record, nor its process.
        if (force == Force::no || error.kind() == ErrorKind::system) {
            throw;
        }
        std::optional<spec::Record> salvaged = dir.salvage();
        if (!salvaged) {
            log::error(error.text() + ": removed without knowing its process");
        }
        return salvaged;
    }
}

/// That of a container whose poststop hooks were broken off.
std::optional<spec::Record> load_retired_record(const ContainerDir& dir, Force force) {
    try {
        return dir.load_retired();
    } catch (const Error& error) { // catch: force removes what is damaged
        if (force == Force::no || error.kind() == ErrorKind::system) {
            throw;
        }
        log::error(error.text() + ": removed without its poststop hooks");
        return std::nullopt;
    }
}

void remove_locked(const ContainerDir& dir, const std::string& id, Force force) {
    std::optional<spec::Record> record = load_record(dir, force);
    if (!record) {
        record = load_retired_record(dir, force);
        if (record) {
            run_poststop_hooks(*record);
        }
        dir.remove();
        return;
    }
    LiveInit init = find_init(*record, sys::open_proc().get());
    Status status = detect_status(dir, *record, init);
    if (force == Force::no && (status == Status::running || status == Status::paused)) {
        throw_error(ErrorKind::wrong_state, "cannot delete container " + id +
                                                " that is not stopped: " + name_of(status) +
                                                " (kill it first, or give --force)");
    }
    kill_init(init);
    remove_pid_file_temporary(record->pid_file, id);
    remove_with_hooks(dir, *record);
}

} // namespace

void remove(const Context& context, const std::string& id, Force force) {
    require_valid_id(id);
    std::optional<StateRoot> root =
        StateRoot::open(state_root_path(context), MissingRoot::is_empty);
    if (force == Force::yes && root && root->remove_stray(id)) {
        return;
    }
    std::optional<ContainerDir> dir = root ? ContainerDir::find(*root, id) : std::nullopt;
    if (!dir || !dir->lock()) {
        if (force == Force::yes) {
            return;
        }
        throw_error(ErrorKind::not_found, "container does not exist: " + id);
    }
    remove_locked(*dir, id, force);
}

} // namespace coracle::container
