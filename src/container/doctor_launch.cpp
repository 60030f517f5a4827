#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/host/id_ranges.h"
#include "coracle/host/restrictions.h"
#include "coracle/launch/trial.h"
#include "coracle/plan/make_launch_plan.h"
#include "coracle/spec/config_json.h"
#include "doctor_private.h"

namespace coracle::container {

namespace {

/// That of the rootless template, as its user would plan it.
plan::LaunchPlan make_default_plan(const host::Facts& facts) {
    spec::TemplateOptions choice;
    choice.rootless = true;
    choice.host_uid = facts.euid;
    choice.host_gid = facts.egid;
    plan::LaunchOptions options;
    options.id = "doctor";
    options.bundle = "/";
    options.cgroup_manager = plan::CgroupManager::disabled;
    return plan::make_launch_plan(spec::parse_config(spec::write_template(choice)), facts, options);
}

std::vector<NamespaceKind> kinds_of(const plan::LaunchPlan& plan) {
    std::vector<NamespaceKind> kinds;
    for (const plan::NamespacePlan& entry : plan.namespaces) {
        kinds.push_back(entry.kind);
    }
    return kinds;
}

const launch::RefusedStep* find(const std::vector<launch::RefusedStep>& refused,
                                const std::string& step) {
    for (const launch::RefusedStep& entry : refused) {
        if (entry.step == step) {
            return &entry;
        }
    }
    return nullptr;
}

void judge_step(const launch::RefusedStep* refused, const std::string& name,
                const Diagnosis::Advice& advice, Diagnosis& diagnosis) {
    if (refused == nullptr) {
        diagnosis.ok(name, "");
    } else {
        diagnosis.broken(name, refused->text, advice);
    }
}

/// By a namespace with one more id, out of the first range.
void examine_ranges(int proc_fd, const host::Facts& facts, Diagnosis& diagnosis) {
    const std::string name = "id ranges";
    const Diagnosis::Advice advice{
        "only one user and one group can be mapped: files of other owners cannot be unpacked",
        "apt-get install uidmap; usermod --add-subuids 100000-165535 --add-subgids 100000-165535 "
        "USER"};
    if (facts.privileged) {
        diagnosis.ok(name, "root maps any id of its user namespace");
        return;
    }
    host::IdRanges ranges = host::detect_id_ranges(facts.euid);
    if (ranges.newuidmap.empty() || ranges.newgidmap.empty()) {
        diagnosis.missing(name, "no newuidmap or newgidmap in " + printable(ranges.search_path),
                          advice);
        return;
    }
    if (ranges.uids.empty() || ranges.gids.empty()) {
        diagnosis.missing(name, "no range for this user in /etc/subuid or /etc/subgid", advice);
        return;
    }
    plan::LaunchPlan plan;
    plan.user_namespace = plan::UserNamespace::made;
    plan.namespaces = {{NamespaceKind::user, ""}};
    plan.id_map.method = plan::IdMapMethod::run_helpers;
    plan.id_map.newuidmap = ranges.newuidmap;
    plan.id_map.newgidmap = ranges.newgidmap;
    plan.id_map.uid_ranges = "/etc/subuid has " + std::to_string(ranges.uids.front().first);
    plan.id_map.gid_ranges = "/etc/subgid has " + std::to_string(ranges.gids.front().first);
    plan.id_map.uids = {{ContainerId{0}, HostId{facts.euid}, 1},
                        {ContainerId{1}, HostId{ranges.uids.front().first}, 1}};
    plan.id_map.gids = {{ContainerId{0}, HostId{facts.egid}, 1},
                        {ContainerId{1}, HostId{ranges.gids.front().first}, 1}};
    std::vector<launch::RefusedStep> refused = launch::try_steps(plan, proc_fd);
    if (refused.empty()) {
        diagnosis.ok(name, std::to_string(ranges.uids.front().count) + " uids from " +
                               std::to_string(ranges.uids.front().first));
        return;
    }
    diagnosis.broken(name, refused.front().text,
                     {advice.consequence, "chmod u+s " + ranges.newuidmap + " " + ranges.newgidmap +
                                              ", and see /etc/subuid and /etc/subgid"});
}

} // namespace

void examine_launch(int proc_fd, const host::Facts& facts, Diagnosis& diagnosis) {
    plan::LaunchPlan plan = make_default_plan(facts);
    std::vector<launch::RefusedStep> refused = launch::try_steps(plan, proc_fd);
    const launch::RefusedStep* spaces = find(refused, "namespaces");
    const launch::RefusedStep* map = find(refused, "id map");
    const launch::RefusedStep* first = map != nullptr ? map : spaces;
    std::string cure = first == nullptr ? ""
                                        : host::explain_refusal(proc_fd, host::Refused::namespaces,
                                                                first->errnum, kinds_of(plan));
    const Diagnosis::Advice advice{"a plain user cannot make containers",
                                   cure.empty() ? "see coracle(1), KERNELS AND OUTER CONTAINERS"
                                                : cure};
    judge_step(spaces, "namespaces", advice, diagnosis);
    judge_step(map, "id map", advice, diagnosis);
    for (const plan::MountStep& step : plan.init.rootfs.mounts) {
        const plan::NewFilesystem* made = std::get_if<plan::NewFilesystem>(&step.what);
        if (made == nullptr || step.destination == "/dev/shm") {
            continue;
        }
        const std::string name = "filesystem " + made->type;
        if (first != nullptr) { // it was not tried
            diagnosis.missing(name, "not tried without namespaces", advice);
            continue;
        }
        judge_step(find(refused, step.name), name,
                   {step.fallback ? "the host's " + step.fallback->source + " is bound instead"
                                  : "containers with their own are refused",
                    "in an outer container: start that with all of /proc and /sys, as with "
                    "--security-opt systempaths=unconfined"},
                   diagnosis);
    }
    examine_ranges(proc_fd, facts, diagnosis);
}

} // namespace coracle::container
