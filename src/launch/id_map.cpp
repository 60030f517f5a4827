#include "id_map_private.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/sys/file.h"
#include "coracle/sys/process.h"
#include "coracle/sys/procfs.h"
#include "coracle/sys/program.h"

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
        cure = " (the host ids of each line must lie within one line of coracle's own " +
               std::string(name) + "; an AppArmor or seccomp profile may forbid it)";
    } else if (errnum == EINVAL) {
        cure = " (ranges overlap, or there are more lines than the kernel takes)";
    }
    throw_system(errnum, std::string("write \"") + printable(text) + "\" to " + name + cure);
}

/// What the helper printed, in one line; how it ended if it printed nothing.
std::string quote_of(const sys::ProgramResult& result, std::chrono::seconds patience) {
    if (result.timed_out) {
        return "did not end within " + std::to_string(patience.count()) + " seconds";
    }
    std::string text = result.output.substr(0, result.output.find_last_not_of(" \n") + 1);
    std::replace(text.begin(), text.end(), '\n', ' ');
    return text.empty() ? sys::describe_wait_status(result.status) : '"' + printable(text) + '"';
}

/// Runs newuidmap or newgidmap. It may be given any user's process, so the kernel's rules for the
/// caller's own hold in it: subuid(5).
void run_helper(const std::string& helper, const std::vector<plan::IdMapping>& map, pid_t pid,
                const std::string& ranges) {
    constexpr std::chrono::seconds patience{30};
    std::vector<std::string> arguments{std::to_string(pid)};
    for (const plan::IdMapping& mapping : map) {
        arguments.push_back(std::to_string(value_of(mapping.container)));
        arguments.push_back(std::to_string(value_of(mapping.host)));
        arguments.push_back(std::to_string(mapping.size));
    }
    sys::ProgramResult result = sys::run_program(helper, arguments, patience);
    if (result.status == 0 && !result.timed_out) {
        return;
    }
    throw_error(ErrorKind::denied,
                helper + ": " + quote_of(result, patience) + " (" + ranges +
                    "; the helper must be set-uid root or have file capabilities, and neither "
                    "no_new_privs nor a nosuid mount may take them away)");
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
    if (plan.method == plan::IdMapMethod::run_helpers) {
        run_helper(plan.newgidmap, plan.gids, pid, plan.gid_ranges);
        run_helper(plan.newuidmap, plan.uids, pid, plan.uid_ranges);
        return;
    }
    if (plan.method == plan::IdMapMethod::write_own_ids) {
        // Before gid_map: the kernel wants it for a map written without privilege. CVE-2014-8989.
        sys::write_file(proc_fd, sys::proc_path(pid, "setgroups"), "deny");
    }
    write_map(plan.gids, proc_fd, pid, "gid_map");
    write_map(plan.uids, proc_fd, pid, "uid_map");
}

} // namespace coracle::launch
