#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/host/cgroup_facts.h"
#include "coracle/host/detect.h"
#include "coracle/sys/procfs.h"
#include "doctor_private.h"
#include "plan_report_private.h"

#include <algorithm>
#include <set>

namespace coracle::container {

namespace {

/// What a rootless container of the template cannot do without; the rest has another way.
std::set<std::string> needs_of_default() {
    return {"namespaces", "id map", "filesystem proc", "filesystem tmpfs", "filesystem devpts"};
}

void add_cgroup_needs(const plan::CgroupPlan& cgroup, std::set<std::string>& needs) {
    if (cgroup.method == plan::CgroupMethod::systemd) {
        needs.insert("systemd");
    }
    for (const plan::CgroupWrite& write : cgroup.writes) {
        needs.insert("cgroup v2");
        if (write.missing == plan::CgroupWrite::Missing::error) {
            needs.insert("controller " + write.file.substr(0, write.file.find('.')));
        }
    }
}

/// What the plan of a bundle cannot do without.
std::set<std::string> needs_of(const plan::LaunchPlan& plan) {
    std::set<std::string> needs;
    bool user = plan.user_namespace == plan::UserNamespace::made;
    for (const plan::MountStep& step : plan.init.rootfs.mounts) {
        const plan::NewFilesystem* made = std::get_if<plan::NewFilesystem>(&step.what);
        if (made != nullptr && user) {
            needs.insert(made->type == "overlay" ? "overlay" : "filesystem " + made->type);
        }
    }
    for (const plan::MountSource& source : plan.mount_sources) {
        if (source.id_map != plan::MountIdMap::none) {
            needs.insert("idmapped mounts");
        }
    }
    if (user) {
        needs.insert("namespaces");
        bool helpers = plan.id_map.method == plan::IdMapMethod::run_helpers;
        needs.insert(helpers ? "id ranges" : "id map");
    }
    if (plan.seccomp && plan.seccomp->listener) {
        needs.insert("seccomp notify");
    }
    if (!plan.init.process.apparmor_change.empty()) {
        needs.insert("nested AppArmor");
    }
    add_cgroup_needs(plan.cgroup, needs);
    return needs;
}

/// What `bundle` needs, and those of its plan's steps that are not ok.
std::set<std::string> examine_bundle(const Context& context, const std::string& bundle, int proc_fd,
                                     spec::DoctorReport& report) {
    CreateOptions options;
    options.bundle = bundle;
    for (const spec::PlanStep& step : plan_run(context, options).steps) {
        if (step.outlook != spec::Outlook::ok) {
            report.steps.push_back(step);
        }
    }
    options.id = "doctor";
    Context lenient = context;
    lenient.strict = false;
    try {
        return needs_of(decide(lenient, options, attended_run, proc_fd).plan);
    } catch (const Error&) { // catch: the plan's one step says it
        return needs_of_default();
    }
}

} // namespace

spec::DoctorReport doctor(const Context& context, const std::string& bundle) {
    sys::Fd proc = sys::open_proc();
    spec::DoctorReport report;
    Diagnosis diagnosis(report.findings);
    host::Facts facts = host::detect_facts(proc.get());
    facts.cgroup = host::detect_cgroup(proc.get(), facts);
    examine_launch(proc.get(), facts, diagnosis);
    examine_kernel(proc.get(), facts, diagnosis);
    examine_cgroups(proc.get(), facts, diagnosis);
    examine_posture(proc.get(), diagnosis);
    std::set<std::string> needs =
        bundle.empty() ? needs_of_default() : examine_bundle(context, bundle, proc.get(), report);
    for (spec::DoctorFinding& finding : report.findings) {
        finding.needed = needs.contains(finding.name);
    }
    if (!bundle.empty()) {
        report.bundle = printable(bundle);
        std::erase_if(report.findings,
                      [](const spec::DoctorFinding& finding) { return !finding.needed; });
    }
    return report;
}

} // namespace coracle::container
