#include "intermediate_private.h"

#include "coracle/security/capabilities.h"
#include "coracle/sys/namespace.h"
#include "coracle/sys/process.h"
#include "private_copy_private.h"

#include <algorithm>
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

void join(const std::vector<OpenNamespace>& joined, JoinTurn turn) {
    for (const OpenNamespace& entry : joined) {
        if (entry.turn == turn) {
            sys::join_namespace(entry.fd.get(), entry.kind);
        }
    }
}

bool joins_user_namespace(const std::vector<OpenNamespace>& joined) {
    return std::any_of(joined.begin(), joined.end(), [](const OpenNamespace& entry) {
        return entry.turn == JoinTurn::user_namespace;
    });
}

/// The new kinds but user and time, which come first, and cgroup, which init makes once it is in
/// its cgroup.
std::uint64_t new_namespace_flags(const plan::LaunchPlan& plan) {
    std::uint64_t flags = 0;
    for (const plan::NamespacePlan& entry : plan.namespaces) {
        bool other = entry.kind == NamespaceKind::user || entry.kind == NamespaceKind::time ||
                     entry.kind == NamespaceKind::cgroup;
        if (entry.path.empty() && !other) {
            flags |= clone_flag_of(entry.kind);
        }
    }
    return flags;
}

/// After the change of ids, which has cleared it.
void keep_privilege(std::uint32_t uid) {
    sys::set_parent_death_signal();
    if (uid != 0) {
        // Without a uid 0 here, execve of the private copy would drop every capability.
        security::raise_all_ambient();
    }
}

void become_container_root(const plan::LaunchPlan& plan) {
    std::uint32_t uid = working_id(plan.id_map.uids, plan.init.process.uid);
    sys::set_gid(working_id(plan.id_map.gids, plan.init.process.gid));
    sys::set_uid(uid);
    keep_privilege(uid);
}

/// The same in a joined user namespace, whose map only the kernel knows.
void become_root_of_joined(const plan::ProcessPlan& process) {
    bool has_root = sys::become_root_or(process.uid, process.gid);
    keep_privilege(has_root ? 0 : process.uid);
}

bool makes_time_namespace(const plan::LaunchPlan& plan) {
    return std::any_of(plan.namespaces.begin(), plan.namespaces.end(),
                       [](const plan::NamespacePlan& entry) {
                           return entry.kind == NamespaceKind::time && entry.path.empty();
                       });
}

/// Before the ids change: the parent writes the maps and the offsets while this process is
/// dumpable, and its files belong to the user.
std::uint64_t early_namespace_flags(const plan::LaunchPlan& plan) {
    bool user = plan.user_namespace == plan::UserNamespace::made;
    return (user ? clone_flag_of(NamespaceKind::user) : 0) |
           (makes_time_namespace(plan) ? clone_flag_of(NamespaceKind::time) : 0);
}

void bring_up(const IntermediateTask& task, ChildEnd& channel, Stage& stage) {
    const plan::LaunchPlan& plan = task.plan;
    const std::vector<OpenNamespace>& joined = task.joined;
    const auto enter = [&](Stage next) { // the name tells the stage even of a killed process
        stage = next;
        sys::set_process_name((std::string("mid:") + name_of(next)).c_str());
    };
    sys::set_parent_death_signal();
    enter(Stage::join);
    join(joined, JoinTurn::before_user_namespace);
    join(joined, JoinTurn::user_namespace);
    enter(Stage::unshare);
    sys::unshare_namespaces(early_namespace_flags(plan));
    enter(Stage::id_map);
    channel.send_need_id_map();
    (void)channel.require<IdMapDone>();
    if (makes_time_namespace(plan)) { // with its offsets, which are final from here on
        sys::enter_new_time_namespace(task.proc_fd);
    }
    if (plan.user_namespace == plan::UserNamespace::made) {
        become_container_root(plan);
    } else if (joins_user_namespace(joined)) {
        become_root_of_joined(plan.init.process);
    }
    enter(Stage::join);
    join(joined, JoinTurn::after_user_namespace);
    join(joined, JoinTurn::last);
    enter(Stage::unshare);
    sys::unshare_namespaces(new_namespace_flags(plan));

    CopyStart start{task.private_copy, channel, "coracle-init", "init:begin",
                    CopyStart::Copy::awaited};
    pid_t init = sys::start_sibling(execute_private_copy, &start);
    channel.send_init_started(init);
}

} // namespace

void run_intermediate(const IntermediateTask& task, ChildEnd& channel) noexcept {
    Stage stage = Stage::begin;
    try {
        bring_up(task, channel, stage);
        ::_exit(0);
    } catch (const std::exception& error) { // catch: a role's edge
        channel.send_failed(stage, error);
    }
    ::_exit(1);
}

} // namespace coracle::launch
