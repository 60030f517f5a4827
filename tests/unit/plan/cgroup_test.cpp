#include "support/catch.h"

#include "coracle/base/error.h"
#include "plan/cgroup_private.h"
#include "plan_support.h"

#include <algorithm>

using namespace coracle;
using namespace coracle::test;
using plan::CgroupManager;
using plan::CgroupMethod;
using plan::UnitProperty;

namespace {

/// "file=value" of each write.
std::vector<std::string> writes_of(const std::string& json,
                                   CgroupMethod method = CgroupMethod::cgroupfs) {
    std::vector<std::string> texts;
    for (const plan::CgroupWrite& write : plan::make_cgroup_writes(resources_of(json), method)) {
        texts.push_back(
            write.file + "=" + write.value +
            (write.other_file.empty() ? "" : "|" + write.other_file + "=" + write.other_value));
    }
    return texts;
}

using Texts = std::vector<std::string>;

Case case_with(const host::Facts& facts) {
    Case c = small_case();
    c.facts = facts;
    if (!facts.privileged) {
        c.linux_().namespaces.push_back({"user", ""});
        c.linux_().uid_mappings = {{0, facts.euid, 1}};
        c.linux_().gid_mappings = {{0, facts.egid, 1}};
    }
    return c;
}

} // namespace

TEST_CASE("cgroup: shares become a weight by the quadratic curve", "[plan]") {
    struct Row {
        std::uint64_t shares;
        std::uint64_t weight;
    };
    for (const Row& row : std::vector<Row>{{0, 0},
                                           {1, 1},
                                           {2, 1},
                                           {10, 4},
                                           {102, 17},
                                           {256, 35},
                                           {512, 59},
                                           {1000, 99},
                                           {1024, 100},
                                           {2000, 170},
                                           {2048, 174},
                                           {4096, 303},
                                           {10240, 639},
                                           {102400, 4429},
                                           {262144, 10000},
                                           {9999999, 10000}}) {
        INFO(row.shares);
        CHECK(plan::cpu_weight_of_shares(row.shares) == row.weight);
    }
    const auto wanted = [](std::uint64_t shares) {
        const double l = std::log2(static_cast<double>(shares));
        return std::ceil(std::pow(10, l * (l + 125) / 612 - 7.0 / 34) - 1e-9);
    };
    std::uint64_t same = 3;
    while (same < 262144 && static_cast<double>(plan::cpu_weight_of_shares(same)) == wanted(same)) {
        ++same;
    }
    CHECK(same == 262144);
}

TEST_CASE("cgroup: a quota is rounded up to 10 ms a second for systemd", "[plan]") {
    CHECK(plan::quota_of_systemd(50000, 100000) == 500000);
    CHECK(plan::quota_of_systemd(50001, 100000) == 510000);
    CHECK(plan::quota_of_systemd(1000, 100000) == 10000);
    CHECK(plan::quota_of_systemd(999, 100000) == 10000);
    CHECK(plan::quota_of_systemd(200000, 100000) == 2000000);
    CHECK(plan::quota_of_systemd(std::uint64_t{1} << 60U, 1000) > 0);
}

TEST_CASE("cgroup: memory", "[plan]") {
    CHECK(writes_of(R"({"memory":{}})").empty());
    CHECK(writes_of(R"({"memory":{"limit":0,"swap":0,"reservation":0}})").empty());
    CHECK(writes_of(R"({"memory":{"limit":1000,"reservation":500}})") ==
          Texts{"memory.max=1000", "memory.low=500"});
    CHECK(writes_of(R"({"memory":{"limit":1000,"swap":1500}})") ==
          Texts{"memory.swap.max=500", "memory.max=1000"});
    CHECK(writes_of(R"({"memory":{"limit":1000,"swap":1000}})") ==
          Texts{"memory.swap.max=0", "memory.max=1000"});
    CHECK(writes_of(R"({"memory":{"limit":1000,"swap":-1}})") ==
          Texts{"memory.swap.max=max", "memory.max=1000"});
    CHECK(writes_of(R"({"memory":{"limit":-1}})") ==
          Texts{"memory.swap.max=max", "memory.max=max"});
    const spec::Resources checked =
        resources_of(R"({"memory":{"limit":5,"checkBeforeUpdate":true}})");
    CHECK(plan::make_cgroup_writes(checked, CgroupMethod::cgroupfs).at(0).above ==
          "memory.current");
}

TEST_CASE("cgroup: cpu", "[plan]") {
    CHECK(writes_of(R"({"cpu":{"shares":0,"quota":0,"period":0,"cpus":""}})").empty());
    CHECK(writes_of(R"({"cpu":{"shares":2048}})") == Texts{"cpu.weight=174"});
    CHECK(writes_of(R"({"cpu":{"shares":2048,"idle":1}})") == Texts{"cpu.idle=1"});
    CHECK(writes_of(R"({"cpu":{"shares":2048,"idle":0}})") ==
          Texts{"cpu.idle=0", "cpu.weight=174"});
    CHECK(writes_of(R"({"cpu":{"quota":50001}})") == Texts{"cpu.max=50001 100000"});
    CHECK(writes_of(R"({"cpu":{"quota":50001}})", CgroupMethod::systemd) ==
          Texts{"cpu.max=51000 100000"});
    CHECK(writes_of(R"({"cpu":{"quota":-1,"period":20000}})") == Texts{"cpu.max=max 20000"});
    CHECK(writes_of(R"({"cpu":{"period":20000}})") == Texts{"cpu.max=max 20000"});
    CHECK(writes_of(R"({"cpu":{"quota":10000,"burst":5000}})") ==
          Texts{"cpu.max.burst=5000", "cpu.max=10000 100000", "cpu.max.burst=5000"});
    CHECK(writes_of(R"({"cpu":{"cpus":"0-1","mems":"0"}})") ==
          Texts{"cpuset.cpus=0-1", "cpuset.mems=0"});
}

TEST_CASE("cgroup: pids, where 0 is a limit", "[plan]") {
    CHECK(writes_of(R"({"pids":{}})").empty());
    CHECK(writes_of(R"({"pids":{"limit":0}})") == Texts{"pids.max=0"});
    CHECK(writes_of(R"({"pids":{"limit":-1}})") == Texts{"pids.max=max"});
    CHECK(writes_of(R"({"pids":{"limit":7}})") == Texts{"pids.max=7"});
    const std::vector<UnitProperty> none =
        plan::make_unit_limits(resources_of(R"({"pids":{"limit":0}})"));
    CHECK(none == std::vector<UnitProperty>{{"TasksMax", std::uint64_t{1}}});
}

TEST_CASE("cgroup: block I/O", "[plan]") {
    CHECK(writes_of(R"({"blockIO":{"weight":0}})").empty());
    CHECK(writes_of(R"({"blockIO":{"weight":10}})") == Texts{"io.bfq.weight=10|io.weight=1"});
    CHECK(writes_of(R"({"blockIO":{"weight":1000}})") ==
          Texts{"io.bfq.weight=1000|io.weight=10000"});
    CHECK(writes_of(R"({"blockIO":{"weight":500}})") == Texts{"io.bfq.weight=500|io.weight=4950"});
    CHECK(writes_of(R"({"blockIO":{"weightDevice":[{"major":8,"minor":0,"weight":100}]}})") ==
          Texts{"io.bfq.weight=8:0 100|io.weight=8:0 910"});
    CHECK(writes_of(R"({"blockIO":{
        "throttleReadBpsDevice":[{"major":8,"minor":0,"rate":600}],
        "throttleWriteBpsDevice":[{"major":8,"minor":1,"rate":700}],
        "throttleReadIOPSDevice":[{"major":8,"minor":2,"rate":0}],
        "throttleWriteIOPSDevice":[{"major":8,"minor":3,"rate":9}]}})") ==
          Texts{"io.max=8:0 rbps=600", "io.max=8:1 wbps=700", "io.max=8:2 riops=max",
                "io.max=8:3 wiops=9"});
}

TEST_CASE("cgroup: huge pages, rdma and, last, unified", "[plan]") {
    CHECK(writes_of(R"({"unified":{"memory.high":"5","io.max":"8:0 rbps=1\n8:1 wbps=2"},
                        "hugepageLimits":[{"pageSize":"2MB","limit":9}],
                        "rdma":{"mlx5_0":{"hcaHandles":3,"hcaObjects":4},"none":{}}})") ==
          Texts{"hugetlb.2MB.max=9", "hugetlb.2MB.rsvd.max=9",
                "rdma.max=mlx5_0 hca_handle=3 hca_object=4", "io.max=8:0 rbps=1",
                "io.max=8:1 wbps=2", "memory.high=5"});
    CHECK(plan::controllers_of(plan::make_cgroup_writes(
              resources_of(
                  R"({"unified":{"memory.high":"5","cgroup.max.depth":"1","pids.max":"1"}})"),
              CgroupMethod::cgroupfs)) == Texts{"memory", "pids"});
}

TEST_CASE("cgroup: who makes it", "[plan]") {
    Case c = case_with(with_systemd(rootless_subid()));
    CHECK(c.plan().cgroup.method == CgroupMethod::systemd);
    CHECK(c.plan().cgroup.scope.name == "coracle-c1.scope");
    CHECK(c.plan().cgroup.scope.slice == "user.slice");
    CHECK(c.plan().cgroup.optional);
    c.linux_().cgroups_path = "x.slice:a:b";
    CHECK(c.plan().cgroup.scope.slice == "x.slice");
    c.linux_().cgroups_path = "/a/../b";
    CHECK(c.plan().cgroup.method == CgroupMethod::cgroupfs);
    CHECK(c.plan().cgroup.path == "/b");
    c.linux_().cgroups_path = "rel/x";
    CHECK(c.plan().cgroup.path == "/user.slice/user-1000.slice/rel/x");
    c.linux_().cgroups_path = "";
    c.options.cgroup_manager = CgroupManager::cgroupfs; // and no place to make one
    CHECK(c.plan().cgroup.method == CgroupMethod::none);
    CHECK(c.plan().cgroup.reason.find("not the caller's to divide") != std::string::npos);
    c.options.cgroup_manager = CgroupManager::disabled;
    CHECK(c.plan().cgroup.reason == "--cgroup-manager=disabled");
    c.linux_().resources.emplace().pids_limit = 1;
    CHECK(error_of([&] { (void)c.plan(); }).find("a limit needs a cgroup: --cgroup-manager") !=
          std::string::npos);
}

TEST_CASE("cgroup: before version 1.3 a limit of 0 processes is none", "[plan]") {
    Case c = case_with(with_cgroupfs(rootless_subid()));
    c.linux_().resources.emplace().pids_limit = 0;
    for (const char* version : {"1.0.2-dev", "1.1.0", "1.2.1"}) {
        c.config.oci_version = version;
        CHECK(c.plan().cgroup.writes.at(0).value == "max");
    }
    CHECK(c.plan().cgroup.writes.at(0).missing == plan::CgroupWrite::Missing::ignored);
    c.options.cgroup_manager = CgroupManager::disabled;
    CHECK(c.plan().cgroup.method == CgroupMethod::none);
    c.options.cgroup_manager = CgroupManager::cgroupfs;
    c.config.oci_version = "1.3.0";
    CHECK(c.plan().cgroup.writes.at(0).value == "0");
}

TEST_CASE("cgroup: without a bus the caller's own cgroup is divided", "[plan]") {
    Case c = case_with(with_cgroupfs(rootless_subid()));
    CHECK(c.plan().cgroup.path == "/lxc/c1");
    const std::size_t before = c.plan().degradations.size();
    c.options.cgroup_manager = CgroupManager::systemd;
    CHECK(c.plan().cgroup.path == "/lxc/coracle-c1.scope");
    REQUIRE(c.plan().degradations.size() == before + 1);
    const std::vector<plan::Degradation> degradations = c.plan().degradations;
    CHECK(std::any_of(degradations.begin(), degradations.end(), [](const plan::Degradation& entry) {
        return entry.why.find("systemd does not run this host") != std::string::npos;
    }));
    c.facts.cgroup.home = "";
    CHECK(c.plan().cgroup.method == CgroupMethod::none);
    c.linux_().resources.emplace().pids_limit = 1;
    CHECK(error_of([&] { (void)c.plan(); }).find("systemd does not run this host") !=
          std::string::npos);
    c.options.lenient_cgroup = true; // --rootless=true
    CHECK(c.plan().cgroup.method == CgroupMethod::none);
    c.linux_().cgroups_path = "/";
    c.options.cgroup_manager = CgroupManager::cgroupfs;
    CHECK(error_of([&] { (void)c.plan(); }).find("the root of all cgroups") != std::string::npos);
}

TEST_CASE("cgroup: on a host without cgroup2 what it would have carried is said", "[plan]") {
    Case c = small_case();
    CHECK(c.plan().degradations.empty());
    CHECK(c.plan().cgroup.reason == "no cgroup2 here");
    c.linux_().cgroups_path = "/a/b";
    c.linux_().resources.emplace().devices.emplace_back();
    const std::vector<plan::Degradation> degradations = c.plan().degradations;
    REQUIRE(degradations.size() == 2);
    CHECK(degradations[0].what == "/linux/cgroupsPath");
    CHECK(degradations[1].what == "/linux/resources/devices");
    c.options.cgroup_manager = CgroupManager::disabled; // asked for
    CHECK(c.plan().cgroup.reason == "--cgroup-manager=disabled");
}

TEST_CASE("cgroup: the scope starts while its process still has the caller's uid", "[plan]") {
    Case c = case_with(with_systemd(rootless_subid()));
    CHECK(c.plan().cgroup.scope_start == plan::ScopeStart::with_init);
    c.linux_().uid_mappings = {{0, 100000, 1}};
    CHECK(c.plan().cgroup.scope_start == plan::ScopeStart::with_intermediate);
}

TEST_CASE("cgroup: what cgroup v2 has nothing for is refused", "[plan]") {
    for (const char* json :
         {R"({"memory":{"swappiness":5}})", R"({"memory":{"disableOOMKiller":true}})",
          R"({"memory":{"kernelTCP":5}})", R"({"cpu":{"realtimeRuntime":5}})",
          R"({"cpu":{"realtimePeriod":5}})", R"({"blockIO":{"leafWeight":50}})",
          R"({"blockIO":{"weightDevice":[{"major":1,"minor":1,"leafWeight":50}]}})",
          R"({"network":{"classID":5}})", R"({"network":{"priorities":[{"name":"e"}]}})"}) {
        INFO(json);
        Case c = case_with(with_systemd(rootful()));
        c.linux_().resources = resources_of(json);
        CHECK(error_of([&] { (void)c.plan(); }).find("cgroup v2 has no such limit") !=
              std::string::npos);
    }
    // What managers write for nothing.
    Case c = case_with(with_systemd(rootful()));
    c.linux_().resources = resources_of(
        R"({"memory":{"disableOOMKiller":false,"kernelTCP":0,"useHierarchy":false},
            "cpu":{"realtimeRuntime":0,"realtimePeriod":0},"network":{"classID":0,"priorities":[]},
            "blockIO":{"leafWeight":0}})");
    CHECK(c.plan().cgroup.writes.empty());
    c.linux_().resources = resources_of(R"({"memory":{"kernel":5}})");
    REQUIRE(c.plan().degradations.size() == 1);
    CHECK(c.plan().degradations[0].what == "/linux/resources/memory/kernel");
}

TEST_CASE("cgroup: a sub-cgroup has one name below the container's", "[plan]") {
    Case c = case_with(with_systemd(rootful()));
    c.config.annotations = {{"run.oci.systemd.subgroup", "in"}};
    CHECK(c.plan().cgroup.sub_cgroup == "in");
    c.config.annotations["run.oci.delegate-cgroup"] = "mine";
    CHECK(c.plan().cgroup.sub_cgroup == "in/mine");
    for (const char* name : {"..", "a/b", ".", "/a"}) {
        INFO(name);
        c.config.annotations = {{"run.oci.delegate-cgroup", name}};
        CHECK(error_of([&] { (void)c.plan(); }).find("is not the name of a cgroup") !=
              std::string::npos);
    }
}

TEST_CASE("cgroup: device rules, the last of which decides", "[plan]") {
    const auto rules = [](const std::string& json) {
        return plan::make_device_rules(resources_of("{\"devices\":" + json + "}").devices);
    };
    constexpr std::size_t defaults = 12;
    CHECK(rules("[]").size() == defaults);
    CHECK(rules(R"([{"allow":true,"access":"rwm"}])").size() == 1); // all: no program
    CHECK(rules(R"([{"allow":false,"access":"rwm"},{"allow":true,"type":"c","major":10,"minor":229,
                     "access":"rw"}])")
              .size() == defaults + 2);
    // What stands before a rule for everything has no effect.
    const std::vector<plan::DeviceRule> late = rules(
        R"([{"allow":true,"type":"b","major":8,"access":"r"},{"allow":false,"access":"rwm"}])");
    CHECK(late.size() == defaults + 1);
    CHECK_FALSE(late.front().allow);
    const plan::DeviceRule fuse =
        rules(R"([{"allow":true,"type":"c","major":10,"minor":-1,"access":"rm"}])").front();
    CHECK(fuse == plan::DeviceRule{true, plan::DeviceKind::character, 10, std::nullopt, 3});
    CHECK(rules(R"([{"allow":true,"type":"p","access":"rwm"}])").size() == defaults);
}
