#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/cgroup/limits.h"
#include "coracle/host/detect.h"
#include "coracle/host/restrictions.h"
#include "coracle/launch/trial.h"
#include "coracle/sys/access.h"
#include "coracle/sys/file.h"
#include "coracle/sys/namespace.h"
#include "coracle/sys/procfs.h"
#include "coracle/sys/rooted_path.h"
#include "plan_report_private.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace coracle::container {

namespace {

using spec::Outlook;

std::vector<NamespaceKind> new_kinds(const plan::LaunchPlan& plan) {
    std::vector<NamespaceKind> kinds;
    for (const plan::NamespacePlan& entry : plan.namespaces) {
        if (entry.path.empty()) {
            kinds.push_back(entry.kind);
        }
    }
    return kinds;
}

const plan::MountStep* find_mount(const plan::LaunchPlan& plan, const std::string& name) {
    for (const plan::MountStep& step : plan.init.rootfs.mounts) {
        if (step.name == name) {
            return &step;
        }
    }
    return nullptr;
}

/// The first new namespace that the kernel's answer names.
std::string find_named(const plan::LaunchPlan& plan, const std::string& text) {
    for (NamespaceKind kind : new_kinds(plan)) {
        if (text.find(name_of(kind)) != std::string::npos) {
            return std::string(name_of(kind)) + ":";
        }
    }
    return {};
}

void check_kernel(const plan::LaunchPlan& plan, int proc_fd, Forecast& forecast) {
    for (const launch::RefusedStep& refused : launch::try_steps(plan, proc_fd)) {
        bool namespaces = refused.step == "namespaces" || refused.step == "id map";
        std::string why;
        if (!refused.text.ends_with(')')) {
            why = host::explain_refusal(
                proc_fd, namespaces ? host::Refused::namespaces : host::Refused::later_step,
                refused.errnum, new_kinds(plan));
        }
        std::string text = refused.text + (why.empty() ? "" : " (" + why + ")");
        if (namespaces) {
            bool map = refused.step == "id map";
            forecast.mark(refused.step, map ? "" : find_named(plan, refused.text),
                          Outlook::will_fail, text);
            continue;
        }
        const plan::MountStep* step = find_mount(plan, refused.step);
        bool bound = step != nullptr && step->fallback && refused.errnum == EPERM;
        forecast.mark("mounts", refused.step + " ", bound ? Outlook::degraded : Outlook::will_fail,
                      bound ? text + "; the host's " + printable(step->fallback->source) +
                                  " is bound instead"
                            : text);
    }
}

/// An O_PATH fd changes nothing and never blocks.
std::string explain_missing(const std::string& path, SourceLink link) {
    sys::Fd fd;
    int flags = O_PATH | (link == SourceLink::follow ? 0 : O_NOFOLLOW);
    int errnum = sys::try_open_at(AT_FDCWD, path, flags, 0, fd);
    if (errnum == 0) {
        return {};
    }
    std::string why = sys::explain_path(errnum, AT_FDCWD, path, F_OK);
    return printable(path) + ": " + describe_errno(errnum) + (why.empty() ? "" : " (" + why + ")");
}

void check_sources(const plan::LaunchPlan& plan, Forecast& forecast) {
    for (const plan::MountStep& step : plan.init.rootfs.mounts) {
        const plan::BindMount* bind = std::get_if<plan::BindMount>(&step.what);
        std::string why = bind == nullptr ? "" : explain_missing(bind->source, bind->link);
        if (!why.empty()) {
            forecast.mark("mounts", step.name + " ", Outlook::will_fail, "source " + why);
        }
    }
    for (const plan::DeviceStep& step : plan.init.rootfs.devices) {
        bool bound = step.method == plan::DeviceMethod::bind_from_host;
        std::string why = bound ? explain_missing(step.path, SourceLink::follow) : "";
        if (!why.empty()) {
            forecast.mark("devices", '"' + escape_json(step.path) + '"', Outlook::will_fail,
                          "the host's " + why);
        }
    }
    for (const plan::NamespacePlan& entry : plan.namespaces) {
        if (entry.path.empty()) {
            continue;
        }
        try {
            (void)sys::open_namespace(entry.path, entry.kind);
        } catch (const Error& error) { // catch: what was to be found out
            forecast.mark("namespaces", std::string(name_of(entry.kind)) + ":", Outlook::will_fail,
                          error.text());
        }
    }
}

void check_hooks(const plan::LaunchPlan& plan, Forecast& forecast) {
    struct Kind {
        const std::vector<plan::Hook>& hooks;
        Outlook outlook; ///< the specification lets those after the start only be warned of
    };
    const std::array<Kind, 5> kinds{{{plan.hooks.prestart, Outlook::will_fail},
                                     {plan.hooks.create_runtime, Outlook::will_fail},
                                     {plan.init.create_container_hooks, Outlook::will_fail},
                                     {plan.hooks.poststart, Outlook::degraded},
                                     {plan.hooks.poststop, Outlook::degraded}}};
    for (const Kind& kind : kinds) {
        for (const plan::Hook& hook : kind.hooks) {
            int errnum = sys::try_execute_access(hook.path);
            if (errnum != 0) {
                forecast.mark("hooks", hook.name, kind.outlook,
                              "execute " + printable(hook.path) + ": " + describe_errno(errnum));
            }
        }
    }
}

bool has_word(const std::string& text, const std::string& word) {
    std::vector<std::string_view> words = split(text, ' ');
    return std::find(words.begin(), words.end(), word) != words.end();
}

void check_controllers(const plan::CgroupPlan& cgroup, int proc_fd, Forecast& forecast) {
    if (cgroup.method == plan::CgroupMethod::none) {
        return;
    }
    bool scope = cgroup.method == plan::CgroupMethod::systemd;
    plan::BusKind bus = scope ? cgroup.scope.bus : plan::BusKind::none;
    std::string place =
        controllers_from(bus, proc_fd, scope ? "/" : cgroup.path.substr(0, cgroup.path.rfind('/')));
    if (sys::may_write(cgroup.mount_point + "/cgroup.subtree_control")) {
        place = "/"; // they are passed on from there
    }
    std::optional<cgroup::Directory> directory =
        cgroup::Directory::find(cgroup.mount_point, place.empty() ? "/" : place);
    std::optional<std::string> text =
        directory ? directory->find_text("cgroup.controllers") : std::nullopt;
    if (!text) {
        return; // it is made, with whatever is there then
    }
    std::string controllers = text->substr(0, text->find('\n'));
    for (const plan::CgroupWrite& write : cgroup.writes) {
        std::string controller = write.file.substr(0, write.file.find('.'));
        if (controller == "cgroup" || write.missing == plan::CgroupWrite::Missing::ignored ||
            has_word(controllers, controller)) {
            continue;
        }
        bool fails = write.missing == plan::CgroupWrite::Missing::error && !cgroup.lenient;
        forecast.mark("cgroup", write.file + " = ", fails ? Outlook::will_fail : Outlook::degraded,
                      write.member + ": the cgroup controller " + controller +
                          " is not available: there is only \"" + printable(controllers) + "\" (" +
                          cgroup::explain_delegation(cgroup.mount_point, bus) + ")");
    }
}

/// What lies over the root file system: the program may be in it.
bool may_hide_program(const plan::MountStep& step) {
    constexpr std::array<std::string_view, 6> known{"/proc", "/dev", "/sys",
                                                    "/tmp",  "/run", "/etc"};
    return std::none_of(known.begin(), known.end(), [&](std::string_view place) {
        return step.destination == place || step.destination.starts_with(std::string(place) + "/");
    });
}

std::vector<std::string> program_candidates(const plan::ProcessPlan& process) {
    const std::string& name = process.args.front();
    if (name.find('/') != std::string::npos) {
        return {name.starts_with('/') ? name : process.cwd + "/" + name};
    }
    std::vector<std::string> paths;
    for (const std::string& entry : process.env) {
        if (!entry.starts_with("PATH=")) {
            continue;
        }
        for (std::string_view place : split(std::string_view(entry).substr(5), ':')) {
            paths.push_back(std::string(place) + "/" + name);
        }
    }
    return paths;
}

void check_program(const plan::LaunchPlan& plan, Forecast& forecast) {
    const plan::RootfsPlan& rootfs = plan.init.rootfs;
    const plan::ProcessPlan& process = plan.init.process;
    if (process.args.empty() || process.args.front().empty() ||
        std::any_of(rootfs.mounts.begin(), rootfs.mounts.end(), may_hide_program)) {
        return;
    }
    std::vector<std::string> candidates = program_candidates(process);
    sys::Fd root;
    if (sys::try_open_at(AT_FDCWD, rootfs.path, O_PATH | O_DIRECTORY, 0, root) != 0 ||
        candidates.empty()) {
        return;
    }
    std::string why = "not found in PATH, in the root file system";
    for (const std::string& path : candidates) {
        sys::Fd file;
        int errnum = sys::try_open_in_root(root.get(), path, O_PATH, sys::Symlinks::follow, file);
        if (errnum != ENOENT && errnum != ENOTDIR) {
            mode_t mode = errnum == 0 ? sys::stat_of(file.get(), path).st_mode : S_IFREG | S_IXUSR;
            constexpr mode_t any_execute = S_IXUSR | S_IXGRP | S_IXOTH;
            if (S_ISREG(mode) && (mode & any_execute) != 0) {
                return;
            }
            why = "permission denied: " +
                  std::string(S_ISREG(mode) ? "it has no x permission" : "it is no regular file");
        } else if (candidates.size() == 1) {
            why = "no such file or directory in the root file system";
        }
    }
    forecast.mark("process", "args:", Outlook::will_fail,
                  "execute " + printable(process.args.front()) + ": " + why);
}

} // namespace

std::string controllers_from(plan::BusKind bus, int proc_fd, const std::string& parent) {
    if (bus != plan::BusKind::user) {
        return parent;
    }
    std::string uid = std::to_string(host::effective_uid());
    std::string manager = "/user@" + uid + ".service";
    std::string own = sys::read_cgroup_path(proc_fd, "self");
    std::size_t at = own.find(manager);
    return at != std::string::npos ? own.substr(0, at + manager.size())
                                   : "/user.slice/user-" + uid + ".slice" + manager;
}

void check_plan(const Decision& decision, int proc_fd, Forecast& forecast) {
    check_kernel(decision.plan, proc_fd, forecast);
    check_sources(decision.plan, forecast);
    check_hooks(decision.plan, forecast);
    check_controllers(decision.plan.cgroup, proc_fd, forecast);
    check_program(decision.plan, forecast);
}

} // namespace coracle::container
