#include "intermediate_private.h"

#include "coracle/security/capabilities.h"
#include "coracle/sys/namespace.h"
#include "coracle/sys/process.h"

#include <string>
#include <unistd.h>

namespace coracle::launch {

namespace {

/// The id to work as inside the new user namespace: its root, or what is mapped of the process.
std::uint32_t working_id(const std::vector<plan::IdMapping>& map, std::uint32_t process_id) {
    for (const plan::IdMapping& mapping : map) {
        if (value_of(mapping.container) == 0) {
            return 0;
        }
    }
    return process_id;
}

void join(const std::vector<OpenNamespace>& joined, bool before_user_namespace) {
    for (const OpenNamespace& entry : joined) {
        if (entry.before_user_namespace == before_user_namespace) {
            sys::join_namespace(entry.fd.get(), entry.kind);
        }
    }
}

/// The new kinds but user, and cgroup, which init makes once it is in its cgroup.
std::uint64_t new_namespace_flags(const plan::LaunchPlan& plan) {
    std::uint64_t flags = 0;
    for (const plan::NamespacePlan& entry : plan.namespaces) {
        bool later = entry.kind == NamespaceKind::user || entry.kind == NamespaceKind::cgroup;
        if (entry.path.empty() && !later) {
            flags |= clone_flag_of(entry.kind);
        }
    }
    return flags;
}

void become_container_root(const plan::LaunchPlan& plan) {
    std::uint32_t uid = working_id(plan.id_map.uids, plan.init.process.uid);
    sys::set_gid(working_id(plan.id_map.gids, plan.init.process.gid));
    sys::set_uid(uid);
    sys::set_parent_death_signal(); // the change of ids has cleared it
    if (uid != 0) {
        // Without a uid 0 here, execve of the private copy would drop every capability.
        security::raise_all_ambient();
    }
}

struct InitStart {
    int private_copy;
    ChildEnd& channel;
};

/// Executes the private copy once it is complete, on the intermediate's memory until then.
/// Runs in: init, before its first execve.
[[gnu::no_sanitize_address]] // its stack is not the one that ASan knows
int become_init(void* argument) noexcept {
    InitStart& start = *static_cast<InitStart*>(argument);
    try {
        sys::set_parent_death_signal();
        sys::set_process_name("init:begin");
        (void)start.channel.require<CopyReady>();
        sys::keep_over_exec(start.channel.fd());
        sys::execute_fd(start.private_copy, {"coracle-init", std::to_string(start.channel.fd())});
    } catch (const Error& error) { // catch: a role's edge
        start.channel.send_failed(Stage::begin, error);
    } catch (const std::exception& error) { // catch: a role's edge
        start.channel.send_failed(Stage::begin, Error(ErrorKind::internal, error.what()));
    }
    ::_exit(1);
}

void bring_up(const plan::LaunchPlan& plan, const std::vector<OpenNamespace>& joined,
              int private_copy, ChildEnd& channel, Stage& stage) {
    const auto enter = [&](Stage next) { // the name tells the stage even of a killed process
        stage = next;
        sys::set_process_name((std::string("mid:") + name_of(next)).c_str());
    };
    sys::set_parent_death_signal();
    enter(Stage::join);
    join(joined, true);
    bool new_user_namespace = plan.init.new_user_namespace;
    if (new_user_namespace) {
        enter(Stage::unshare);
        sys::unshare_namespaces(clone_flag_of(NamespaceKind::user));
    }
    enter(Stage::id_map);
    channel.send_need_id_map();
    (void)channel.require<IdMapDone>();
    if (new_user_namespace) {
        become_container_root(plan);
    }
    enter(Stage::join);
    join(joined, false);
    enter(Stage::unshare);
    sys::unshare_namespaces(new_namespace_flags(plan));

    InitStart start{private_copy, channel};
    pid_t init = sys::start_sibling(become_init, &start);
    channel.send_init_started(init);
}

} // namespace

void run_intermediate(const plan::LaunchPlan& plan, const std::vector<OpenNamespace>& joined,
                      int private_copy, ChildEnd& channel) noexcept {
    Stage stage = Stage::begin;
    try {
        bring_up(plan, joined, private_copy, channel, stage);
        ::_exit(0);
    } catch (const Error& error) { // catch: a role's edge
        channel.send_failed(stage, error);
    } catch (const std::exception& error) { // catch: a role's edge
        channel.send_failed(stage, Error(ErrorKind::internal, error.what()));
    }
    ::_exit(1);
}

} // namespace coracle::launch
