#include "support/catch.h"

#include "unit/plan/plan_support.h"

#include <string>
#include <variant>
#include <vector>

using namespace coracle;
using namespace coracle::test;

namespace {

std::vector<std::string> data_of(const Case& c) {
    return std::get<plan::NewFilesystem>(c.plan().init.rootfs.mounts.at(0).what).data;
}

Case labelled(const std::string& type, std::vector<std::string> mount_options) {
    Case c = small_case();
    c.facts.security_modules.selinux = true;
    c.linux_().mount_label = "u:r:t:s0:c1,c2";
    spec::Mount mount;
    mount.destination = "/m";
    mount.type = type;
    mount.source = "x";
    mount.options = std::move(mount_options);
    c.add_mount(mount);
    return c;
}

} // namespace

TEST_CASE("plan attributes: words become the kernel's numbers", "[plan]") {
    Case c = small_case();
    c.process().scheduler = spec::Scheduler{"SCHED_DEADLINE",
                                            1,
                                            0,
                                            {"SCHED_FLAG_RESET_ON_FORK", "SCHED_FLAG_RECLAIM"},
                                            2000,
                                            3000,
                                            4000};
    c.process().io_priority = spec::IoPriority{"IOPRIO_CLASS_IDLE", 3};
    c.linux_().personality = spec::Personality{"LINUX32", {}};
    c.linux_().memory_policy =
        spec::MemoryPolicy{"MPOL_BIND", "0,64", {"MPOL_F_STATIC_NODES", "MPOL_F_NUMA_BALANCING"}};
    const plan::ProcessPlan process = c.plan().init.process;
    CHECK(process.scheduler.value().policy == 6);
    CHECK(process.scheduler->flags == 3);
    CHECK(process.scheduler->nice == 1);
    CHECK(process.scheduler->runtime == 2000);
    CHECK(process.scheduler->deadline == 3000);
    CHECK(process.scheduler->period == 4000);
    CHECK(process.io_priority.value().io_class == 3);
    CHECK(process.io_priority->level == 3);
    CHECK(process.personality == 8U);
    CHECK(process.memory_policy.value().mode == 0xA002);
    CHECK(process.memory_policy->nodes == std::vector<std::uint64_t>{1, 1});
}

TEST_CASE("plan attributes: what the config does not name is left alone", "[plan]") {
    const plan::ProcessPlan process = small_case().plan().init.process;
    CHECK_FALSE(process.scheduler);
    CHECK_FALSE(process.io_priority);
    CHECK_FALSE(process.personality);
    CHECK_FALSE(process.memory_policy);
    CHECK(process.apparmor_change.empty());
    CHECK(process.selinux_label.empty());
}

TEST_CASE("plan labels: a profile replaces no confinement, it is stacked on it", "[plan]") {
    struct Row {
        const char* own;
        const char* profile;
        const char* change;
        std::size_t degradations;
    };
    const std::vector<Row> rows{
        {"unconfined", "box", "exec box", 0},
        {"//&:lxd:unconfined", "box", "exec box", 0},
        {"docker-default", "box", "stack box", 0},
        {"unconfined", "unconfined", "exec unconfined", 0},
        {"docker-default", "unconfined", "", 1},
        {"docker-default", "", "", 0},
    };
    for (const Row& row : rows) {
        INFO(row.own << " " << row.profile);
        Case c = small_case();
        c.facts.security_modules = {true, row.own, false};
        c.process().apparmor_profile = row.profile;
        CHECK(plan::needs_security_modules(c.config) == (row.profile[0] != '\0'));
        CHECK(c.plan().init.process.apparmor_change == row.change);
        CHECK(c.plan().degradations.size() == row.degradations);
    }
}

TEST_CASE("plan labels: unconfined asks for nothing without AppArmor", "[plan]") {
    Case c = small_case();
    c.process().apparmor_profile = "unconfined";
    CHECK(c.plan().init.process.apparmor_change.empty());
    CHECK(c.plan().degradations.empty());
}

TEST_CASE("plan labels: the context of SELinux is the config's", "[plan]") {
    Case c = small_case();
    c.facts.security_modules.selinux = true;
    c.process().selinux_label = "u:r:t:s0:c1,c2";
    CHECK(plan::needs_security_modules(c.config));
    CHECK(c.plan().init.process.selinux_label == "u:r:t:s0:c1,c2");
    CHECK_FALSE(plan::needs_security_modules(small_case().config));
}

TEST_CASE("plan labels: a new filesystem has the mount label unless the policy labels it",
          "[plan]") {
    const std::string context = "context=u:r:t:s0:c1,c2";
    CHECK(plan::needs_security_modules(labelled("tmpfs", {}).config));
    CHECK(data_of(labelled("tmpfs", {"size=1k"})) == std::vector<std::string>{"size=1k", context});
    CHECK(data_of(labelled("devpts", {})) == std::vector<std::string>{context});
    CHECK(data_of(labelled("tmpfs", {"rootcontext=x"})) ==
          std::vector<std::string>{"rootcontext=x"});
    for (const char* type : {"proc", "sysfs", "mqueue", "cgroup2", "cgroup"}) {
        INFO(type);
        Case c = labelled(type, {});
        c.linux_().namespaces.push_back({"cgroup", ""});
        CHECK(data_of(c).empty());
    }
}

TEST_CASE("plan resctrl: the group is that of closID, the root, or the container's own", "[plan]") {
    Case c = small_case();
    c.facts.resctrl = "/sys/fs/resctrl";
    spec::IntelRdt& rdt = c.linux_().intel_rdt.emplace();
    rdt.mem_bw_schema = "MB:0=20";
    rdt.l3_cache_schema = "L3:0=f";
    rdt.schemata = {"L2:0=1"};
    rdt.enable_monitoring = true;
    plan::ResctrlPlan plan = c.plan().resctrl.value();
    CHECK(plan.mount_point == "/sys/fs/resctrl");
    CHECK(plan.group == "c1");
    CHECK(plan.owned);
    CHECK(plan.own_schemas == std::vector<std::string>{"L3:0=f", "MB:0=20"});
    CHECK(plan.schemata == std::vector<std::string>{"L2:0=1"});
    CHECK(plan.monitor_group == "c1");
    rdt.clos_id = "gold";
    rdt.enable_monitoring = false;
    plan = c.plan().resctrl.value();
    CHECK(plan.group == "gold");
    CHECK_FALSE(plan.owned);
    CHECK(plan.monitor_group.empty());
    rdt.clos_id = "/";
    plan = c.plan().resctrl.value();
    CHECK(plan.group.empty());
    CHECK_FALSE(plan.owned);
    CHECK(plan.own_schemas.empty());
    CHECK(plan.schemata == std::vector<std::string>{"L3:0=f", "MB:0=20", "L2:0=1"});
    CHECK_FALSE(small_case().plan().resctrl);
}
