#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/cgroup/limits.h"
#include "coracle/cgroup/placement.h"
#include "coracle/host/probes.h"
#include "coracle/host/security_modules.h"
#include "coracle/sys/file.h"
#include "coracle/sys/landlock.h"
#include "coracle/sys/program.h"
#include "coracle/sys/refused.h"
#include "coracle/sys/scheduling.h"
#include "doctor_private.h"
#include "plan_report_private.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/syscall.h>

namespace coracle::container {

namespace {

void examine_calls(Diagnosis& diagnosis) {
    struct Row {
        const char* name;
        long number;
        const char* consequence;
    };
    constexpr const char* cure = "in an outer container: give it a seccomp profile that allows "
                                 "this call; else a newer kernel";
    for (const Row& row :
         {Row{"mount API", SYS_fsconfig, "mount(2) is used, and errors say less"},
          Row{"mount_setattr", SYS_mount_setattr, "recursive options are set mount by mount"},
          Row{"openat2", SYS_openat2, "paths are walked one component at a time, which is slower"},
          Row{"pidfd", SYS_pidfd_open,
              "a process is known by its start time; no --pidfd-socket"}}) {
        diagnosis.judge(row.name, sys::is_refused(row.number) ? ENOSYS : 0,
                        {row.consequence, cure});
    }
}

void examine_memory_files(Diagnosis& diagnosis) {
    sys::Fd file;
    diagnosis.judge("memfd exec", sys::try_make_memory_file("coracle-doctor", file),
                    {"init runs from a file without a name in /tmp or the like instead",
                     "sysctl -w vm.memfd_noexec=1"});
}

void examine_core_scheduling(Diagnosis& diagnosis) {
    std::uint64_t cookie = 0;
    int errnum = sys::try_get_core_cookie(0, cookie);
    diagnosis.judge("core scheduling", errnum,
                    {errnum == ENODEV ? "none is needed: no core of this machine has siblings"
                                      : "a container can share a core with others at the same time",
                     errnum == ENODEV ? "nothing" : "a kernel with CONFIG_SCHED_CORE"});
}

void examine_programs(Diagnosis& diagnosis) {
    struct Row {
        const char* name;
        const char* consequence;
        const char* package;
    };
    // Many a user's PATH has no sbin, where nft is.
    std::string path = sys::program_search_path();
    path += ":/usr/sbin:/sbin";
    for (const Row& row : {Row{"pasta", "no network for plain users but the host's", "passt"},
                           Row{"nft", "no packet filter can be set up for a container", "nftables"},
                           Row{"newuidmap", "only one user can be mapped", "uidmap"},
                           Row{"newgidmap", "only one group can be mapped", "uidmap"}}) {
        std::string found = sys::find_program(row.name, path);
        if (found.empty()) {
            diagnosis.missing(row.name, "not in " + printable(path),
                              {row.consequence, std::string("apt-get install ") + row.package});
        } else {
            diagnosis.ok(row.name, printable(found));
        }
    }
}

void examine_modules(int proc_fd, Diagnosis& diagnosis) {
    host::SecurityModules modules = host::detect_security_modules(proc_fd);
    bool confined = modules.apparmor && modules.apparmor_label != "unconfined";
    std::string label = modules.apparmor ? printable(modules.apparmor_label) : "no AppArmor here";
    if (confined) {
        diagnosis.broken("nested AppArmor", "confined by " + label,
                         {"a container's own profile is stacked on it, and both apply",
                          "contrib/apparmor has a profile for coracle itself"});
    } else {
        diagnosis.ok("nested AppArmor", label);
    }
    int version = 0;
    if (sys::try_get_landlock_version(version) != 0) {
        diagnosis.missing(
            "Landlock", "the kernel does not offer it",
            {"no rules about files beside mounts", "boot with landlock in lsm=, a kernel >= 5.13"});
    } else {
        diagnosis.ok("Landlock", "ABI " + std::to_string(version));
    }
}

bool has_word(const std::string& text, const std::string& word) {
    std::vector<std::string_view> words = split(text, ' ');
    return std::find(words.begin(), words.end(), word) != words.end();
}

void examine_controllers(int proc_fd, const host::CgroupFacts& facts, Diagnosis& diagnosis) {
    plan::BusKind bus = facts.bus == host::SystemdBus::user     ? plan::BusKind::user
                        : facts.bus == host::SystemdBus::system ? plan::BusKind::system
                                                                : plan::BusKind::none;
    std::string place = controllers_from(bus, proc_fd, facts.home.empty() ? facts.own : facts.home);
    std::optional<cgroup::Directory> directory =
        cgroup::Directory::find(facts.mount_point, place.empty() ? "/" : place);
    std::string text =
        directory ? directory->find_text("cgroup.controllers").value_or("") : std::string();
    std::string controllers = text.substr(0, text.find('\n'));
    bool may = bus != plan::BusKind::none || !facts.home.empty();
    for (const char* name : {"cpu", "cpuset", "io", "memory", "pids"}) {
        std::string finding = std::string("controller ") + name;
        if (may && has_word(controllers, name)) {
            diagnosis.ok(finding, "in " + printable(place));
        } else {
            diagnosis.missing(
                finding,
                may ? printable(place) + " has only \"" + printable(controllers) + "\""
                    : "the caller may make no cgroup",
                {"limits by it are refused", cgroup::explain_delegation(facts.mount_point, bus)});
        }
    }
}

} // namespace

void Diagnosis::ok(const std::string& name, const std::string& found) {
    findings_.push_back({name, spec::Health::ok, false, found, "", ""});
}

void Diagnosis::missing(const std::string& name, const std::string& found, const Advice& advice) {
    findings_.push_back(
        {name, spec::Health::missing, false, found, advice.consequence, advice.cure});
}

void Diagnosis::broken(const std::string& name, const std::string& found, const Advice& advice) {
    findings_.push_back(
        {name, spec::Health::broken, false, found, advice.consequence, advice.cure});
}

void Diagnosis::judge(const std::string& name, int errnum, const Advice& advice) {
    if (errnum == 0) {
        ok(name, "");
        return;
    }
    bool absent = errnum == ENOSYS || errnum == ENODEV || errnum == EINVAL || errnum == EOPNOTSUPP;
    if (absent) {
        missing(name, describe_errno(errnum), advice);
    } else {
        broken(name, describe_errno(errnum), advice);
    }
}

void examine_kernel(int proc_fd, const host::Facts& facts, Diagnosis& diagnosis) {
    examine_calls(diagnosis);
    diagnosis.judge("overlay", host::probe_overlay(),
                    {"images of plain users need fuse-overlayfs, or are copied",
                     "a kernel >= 5.11 with overlayfs: modprobe overlay"});
    diagnosis.judge("idmapped mounts", host::probe_mapped_mount(),
                    {"mounts with idmap or uidMappings are refused",
                     "a kernel >= 6.3 for tmpfs, 5.12 for ext4 and xfs"});
    diagnosis.judge("seccomp notify", host::probe_seccomp_notify(),
                    {"configurations with listenerPath are refused",
                     "a kernel with CONFIG_SECCOMP_FILTER; an outer container must allow seccomp"});
    if (!facts.cgroup.mount_point.empty()) {
        diagnosis.judge("clone into cgroup",
                        host::probe_birth_in_cgroup(facts.cgroup.mount_point + facts.cgroup.own),
                        {"a container's processes are moved into their cgroup once they are there",
                         "a kernel >= 5.7, and a cgroup that is the caller's"});
    }
    examine_memory_files(diagnosis);
    examine_core_scheduling(diagnosis);
    examine_modules(proc_fd, diagnosis);
    examine_programs(diagnosis);
}

void examine_cgroups(int proc_fd, const host::Facts& facts, Diagnosis& diagnosis) {
    const host::CgroupFacts& cgroup = facts.cgroup;
    const Diagnosis::Advice advice{"containers have no cgroup: no limits, no pause",
                                   cgroup.problem};
    if (cgroup.mount_point.empty()) {
        diagnosis.missing("cgroup v2", "not mounted", advice);
        return;
    }
    if (cgroup.unified) {
        diagnosis.ok("cgroup v2", printable(cgroup.mount_point));
    } else {
        diagnosis.broken("cgroup v2", printable(cgroup.mount_point) + " without controllers",
                         {"containers have no limits", cgroup.problem});
    }
    if (cgroup.bus == host::SystemdBus::none) {
        diagnosis.missing(
            "systemd", "no bus to ask for a scope",
            {"cgroups are made in cgroupfs, where the caller may", cgroup.bus_problem});
    } else if (std::string problem = cgroup::find_bus_problem(cgroup.bus_path); !problem.empty()) {
        diagnosis.missing("systemd", "does not answer over " + printable(cgroup.bus_path),
                          {"cgroups are made in cgroupfs, where the caller may", problem});
    } else {
        diagnosis.ok("systemd", printable(cgroup.bus_path));
    }
    examine_controllers(proc_fd, cgroup, diagnosis);
}

} // namespace coracle::container
