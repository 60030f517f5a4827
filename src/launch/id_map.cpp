#include "id_map_private.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/sys/file.h"
#include "coracle/sys/namespace.h"
#include "coracle/sys/procfs.h"

#include <algorithm>
#include <cerrno>

namespace coracle::launch {

namespace {

void write_map(const std::vector<plan::IdMapping>& map, int proc_fd, pid_t pid, const char* name) {
    std::string text = make_map_text(map);
    int errnum = sys::try_write_file(proc_fd, sys::proc_path(pid, name), text);
    if (errnum == 0) {
        return;
    }
    std::replace(text.begin(), text.end(), '\n', ';');
    std::string cure;
    if (errnum == EPERM) {
        cure = " (the host ids must be mapped where coracle runs; a plain user may map only the "
               "own id; an AppArmor or seccomp profile may forbid it)";
    } else if (errnum == EINVAL) {
        cure = " (ranges overlap, or there are more lines than the kernel takes)";
    }
    throw_system(errnum, std::string("write \"") + printable(text) + "\" to " + name + cure);
}

} // namespace

std::string make_map_text(const std::vector<plan::IdMapping>& map) {
    std::string text;
    for (const plan::IdMapping& mapping : map) {
        text += std::to_string(value_of(mapping.container)) + " " +
                std::to_string(value_of(mapping.host)) + " " + std::to_string(mapping.size) + "\n";
    }
    return text;
}

void write_id_maps(const plan::IdMapPlan& plan, int proc_fd, pid_t pid) {
    if (plan.method == plan::IdMapMethod::none) {
        return;
    }
    if (plan.method == plan::IdMapMethod::write_own_ids) {
        // Before gid_map: the kernel wants it for a map written without privilege. CVE-2014-8989.
        sys::write_file(proc_fd, sys::proc_path(pid, "setgroups"), "deny");
    }
    write_map(plan.gids, proc_fd, pid, "gid_map");
    write_map(plan.uids, proc_fd, pid, "uid_map");
}

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

} // namespace

std::vector<OpenNamespace> open_namespaces(const plan::LaunchPlan& plan) {
    std::vector<OpenNamespace> joined;
    for (const plan::NamespacePlan& entry : plan.namespaces) {
        if (entry.path.empty()) {
            continue;
        }
        in_context([&] { return std::string("join the ") + name_of(entry.kind) + " namespace"; },
                   [&] {
                       sys::Fd fd = sys::open_namespace(entry.path, entry.kind);
                       require_foreign_for_sysctls(plan, fd.get(), entry.kind);
                       bool ours = sys::is_owned_by_current_user_namespace(fd.get());
                       joined.push_back({entry.kind, std::move(fd), ours});
                   });
    }
    return joined;
}

} // namespace coracle::launch
