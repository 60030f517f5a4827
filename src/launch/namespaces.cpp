#include "namespaces_private.h"

#include "coracle/base/error.h"
#include "coracle/sys/file.h"
#include "coracle/sys/namespace.h"
#include "coracle/sys/procfs.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>

namespace coracle::launch {

namespace {

/// A sysctl was allowed because its namespace is named; that must not be the host's own.
void require_foreign_for_sysctls(const plan::LaunchPlan& plan, int namespace_fd,
                                 NamespaceKind kind) {
    bool needed = std::find(plan.sysctl_namespaces.begin(), plan.sysctl_namespaces.end(), kind) !=
                  plan.sysctl_namespaces.end();
    if (needed && sys::is_current_namespace(namespace_fd, kind)) {
        throw_error(ErrorKind::denied,
                    "it is the caller's own, so /linux/sysctl would change the host");
    }
}

/// The root of a joined mount namespace becomes the container's, for every process in it.
void require_foreign_mount_namespace(int namespace_fd, int proc_fd) {
    sys::Fd of_host;
    int errnum = sys::try_open_at(proc_fd, "1/ns/mnt", O_RDONLY | O_NONBLOCK, 0, of_host);
    bool is_host = errnum == 0 && sys::is_same_file(namespace_fd, of_host.get());
    if (is_host || sys::is_current_namespace(namespace_fd, NamespaceKind::mount)) {
        throw_error(ErrorKind::denied, "it is the one of the caller or of the host's pid 1, whose "
                                       "root would be replaced: name another, or leave out the "
                                       "path for a new one");
    }
}

JoinTurn choose_turn(bool joins_user_namespace, const OpenNamespace& entry) {
    switch (entry.kind) {
    case NamespaceKind::user:
        return JoinTurn::user_namespace;
    case NamespaceKind::mount:
        return JoinTurn::last;
    case NamespaceKind::pid:
    case NamespaceKind::network:
    case NamespaceKind::ipc:
    case NamespaceKind::uts:
    case NamespaceKind::cgroup:
    case NamespaceKind::time:
        break;
    }
    // What is not the caller's belongs to the joined user namespace or one below. A new user
    // namespace owns nothing yet, and would take away the privilege over the others.
    bool after = joins_user_namespace && !sys::is_owned_by_current_user_namespace(entry.fd.get());
    return after ? JoinTurn::after_user_namespace : JoinTurn::before_user_namespace;
}

} // namespace

std::vector<OpenNamespace> open_namespaces(const plan::LaunchPlan& plan, int proc_fd) {
    std::vector<OpenNamespace> joined;
    const auto open_one = [&](const plan::NamespacePlan& plan_entry) {
        OpenNamespace entry{plan_entry.kind, sys::open_namespace(plan_entry.path, plan_entry.kind),
                            JoinTurn{}};
        require_foreign_for_sysctls(plan, entry.fd.get(), entry.kind);
        if (entry.kind == NamespaceKind::mount) {
            require_foreign_mount_namespace(entry.fd.get(), proc_fd);
        }
        if (entry.kind == NamespaceKind::user &&
            sys::is_current_namespace(entry.fd.get(), entry.kind)) {
            return; // setns(2) answers EINVAL
        }
        entry.turn = choose_turn(plan.user_namespace == plan::UserNamespace::joined, entry);
        joined.push_back(std::move(entry));
    };
    for (const plan::NamespacePlan& entry : plan.namespaces) {
        if (!entry.path.empty()) {
            in_context(
                [&] { return std::string("join the ") + name_of(entry.kind) + " namespace"; },
                [&] { open_one(entry); });
        }
    }
    return joined;
}

std::vector<OpenNamespace> open_namespaces_of(int directory,
                                              const std::vector<NamespaceKind>& kinds) {
    bool joins_user_namespace =
        std::find(kinds.begin(), kinds.end(), NamespaceKind::user) != kinds.end();
    std::vector<OpenNamespace> opened;
    for (NamespaceKind kind : kinds) {
        std::string name = std::string("ns/") + proc_name_of(kind);
        OpenNamespace entry{kind, sys::open_at(directory, name, O_RDONLY), JoinTurn{}};
        entry.turn = choose_turn(joins_user_namespace, entry);
        opened.push_back(std::move(entry));
    }
    std::stable_sort(
        opened.begin(), opened.end(),
        [](const OpenNamespace& a, const OpenNamespace& b) { return a.turn < b.turn; });
    return opened;
}

void write_time_offsets(const std::vector<plan::TimeOffset>& offsets, int proc_fd, pid_t pid) {
    for (const plan::TimeOffset& offset : offsets) {
        std::string text = offset.clock + " " + std::to_string(offset.seconds) + " " +
                           std::to_string(offset.nanoseconds);
        int errnum = sys::try_write_file(proc_fd, sys::proc_path(pid, "timens_offsets"), text);
        if (errnum != 0) {
            throw_system(errnum, "/linux/timeOffsets/" + offset.clock + ": write \"" + text +
                                     "\" to timens_offsets" +
                                     (errnum == ERANGE ? " (the clock would leave its range: below "
                                                         "0, or above 146 years)"
                                                       : ""));
        }
    }
}

} // namespace coracle::launch
