#include "cgroup_private.h"
#include "coracle/base/error.h"
#include "coracle/base/log.h"
#include "coracle/base/text.h"
#include "coracle/host/detect.h"
#include "coracle/sys/procfs.h"
#include "view_private.h"

#include <cerrno>

namespace coracle::container {

namespace {

/// Nothing for a directory whose container is just being made or deleted.
std::optional<spec::ContainerView> find_view(const StateRoot& root, const std::string& id,
                                             int proc_fd) {
    try {
        std::optional<ContainerDir> dir = ContainerDir::find(root, id);
        std::optional<spec::Record> record = dir ? dir->load() : std::nullopt;
        if (!record) {
            return std::nullopt;
        }
        LiveInit init = find_init(*record, proc_fd);
        return make_view(*record, detect_status(*dir, *record, init));
    } catch (const Error& error) { // catch: one bad entry does not hide the others
        log::warning(error.text());
        return std::nullopt;
    }
}

} // namespace

namespace {

/// Why it may have ended, as long as its cgroup knows.
void add_limits_met(const Found& found, spec::ContainerView& view) {
    std::optional<cgroup::Location> location = find_location(found.record);
    std::optional<cgroup::Directory> directory =
        location ? cgroup::find_directory(*location) : std::nullopt;
    if (!directory) {
        return;
    }
    std::map<std::string, std::uint64_t> memory = directory->read_keys("memory.events");
    std::map<std::string, std::uint64_t> pids = directory->read_keys("pids.events");
    if (memory.count("oom_kill") != 0) {
        view.oom_kills = memory["oom_kill"];
    }
    if (pids.count("max") != 0) {
        view.refused_forks = pids["max"];
    }
}

} // namespace

spec::ContainerView state(const Context& context, const std::string& id) {
    Found found = require_container(context, id);
    spec::ContainerView view = make_view(found.record, found.status);
    if (found.status == Status::stopped) {
        add_limits_met(found, view);
    }
    view.owner = owner_name(found.record.owner);
    return view;
}

namespace {

std::optional<StateRoot> open_root_to_list(const Context& context) {
    std::optional<StateRoot> root =
        StateRoot::open(state_root_path(context), MissingRoot::is_empty);
    if (!root && !context.root.empty()) { // a name that was mistyped, as runc takes it too
        throw_system(ENOENT, "--root " + printable(context.root));
    }
    return root;
}

} // namespace

std::vector<std::string> list_ids(const Context& context) {
    std::optional<StateRoot> root = open_root_to_list(context);
    std::vector<std::string> ids = root ? root->ids() : std::vector<std::string>();
    std::erase_if(ids, [&](const std::string& id) { return !root->has_record(id); });
    return ids;
}

std::vector<spec::ContainerView> list(const Context& context) {
    std::vector<spec::ContainerView> views;
    std::optional<StateRoot> root = open_root_to_list(context);
    if (!root) {
        return views;
    }
    sys::Fd proc = sys::open_proc();
    std::string owner;
    for (const std::string& id : root->ids()) {
        std::optional<spec::ContainerView> view = find_view(*root, id, proc.get());
        if (!view) {
            continue;
        }
        if (owner.empty()) { // every record is the caller's own
            owner = owner_name(host::effective_uid());
        }
        view->owner = owner;
        views.push_back(std::move(*view));
    }
    return views;
}

} // namespace coracle::container
