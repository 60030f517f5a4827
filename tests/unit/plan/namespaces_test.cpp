#include "support/catch.h"

#include "coracle/base/error.h"
#include "plan/plan_private.h"
#include "unit/plan/plan_support.h"

#include <functional>
#include <string>
#include <vector>

using namespace coracle;
using namespace coracle::test;
using plan::IdMapMethod;
using plan::IdMapping;

namespace {

std::string text_of(const std::vector<IdMapping>& map) {
    std::string text;
    for (const IdMapping& entry : map) {
        text += std::to_string(value_of(entry.container)) + "=" +
                std::to_string(value_of(entry.host)) + "+" + std::to_string(entry.size) + " ";
    }
    return text;
}

} // namespace

TEST_CASE("plan namespaces: in the order of the kinds, whatever the config's", "[plan]") {
    Case c = small_case(rootless_bare());
    c.linux_().namespaces = {{"cgroup", ""}, {"uts", "/u"}, {"ipc", ""}, {"network", "/n"},
                             {"pid", ""},    {"mount", ""}, {"user", ""}};
    const plan::LaunchPlan plan = c.plan();
    const std::vector<NamespaceKind> wanted{
        NamespaceKind::user, NamespaceKind::mount, NamespaceKind::pid,   NamespaceKind::network,
        NamespaceKind::ipc,  NamespaceKind::uts,   NamespaceKind::cgroup};
    REQUIRE(plan.namespaces.size() == wanted.size());
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        INFO(i);
        CHECK(plan.namespaces[i].kind == wanted[i]);
    }
    CHECK(plan.namespaces[3].path == "/n");
    CHECK(plan.namespaces[5].path == "/u");
    CHECK(plan.user_namespace == plan::UserNamespace::made);
    CHECK(plan.init.new_cgroup_namespace);
    CHECK(plan.init.own_pid_namespace);
    CHECK_FALSE(plan.init.loopback_up); // joined: its owner sees to it
}

TEST_CASE("plan namespaces: what init does in a new one is not done in a joined one", "[plan]") {
    Case c = small_case();
    c.linux_().namespaces = {{"mount", ""}, {"pid", "/p"}, {"cgroup", "/c"}, {"network", ""}};
    const plan::InitPlan init = c.plan().init;
    CHECK_FALSE(init.new_cgroup_namespace);
    CHECK_FALSE(init.own_pid_namespace);
    CHECK(init.loopback_up);
    c.linux_().namespaces = {{"mount", ""}};
    CHECK_FALSE(c.plan().init.own_pid_namespace);
    CHECK_FALSE(c.plan().init.loopback_up);
    REQUIRE(c.plan().degradations.size() == 1);
    CHECK(c.plan().degradations[0].what == "/linux/namespaces");
}

TEST_CASE("plan id map: who writes it follows from the privilege", "[plan]") {
    CHECK(small_case(rootful()).plan().id_map.method == IdMapMethod::none);
    CHECK(small_case(rootless_bare()).plan().id_map.method == IdMapMethod::write_own_ids);
    for (const host::Facts& facts : {rootful(), root_in_userns()}) {
        Case c = small_case(facts);
        c.linux_().namespaces.push_back({"user", ""});
        c.linux_().uid_mappings = {{0, 1000, 1}, {1, 100000, 65535}};
        c.linux_().gid_mappings = {{0, 27, 10}};
        const plan::IdMapPlan map = c.plan().id_map;
        CHECK(map.method == IdMapMethod::write_map);
        CHECK(text_of(map.uids) == "0=1000+1 1=100000+65535 ");
        CHECK(text_of(map.gids) == "0=27+10 ");
    }
    // A plain user may be another id than 0 inside.
    Case c = small_case(rootless_bare());
    c.linux_().uid_mappings = {{5, 1000, 1}};
    c.linux_().gid_mappings = {{6, 1000, 1}};
    c.process().user.uid = 5;
    c.process().user.gid = 6;
    CHECK(text_of(c.plan().id_map.uids) == "5=1000+1 ");
    CHECK(text_of(c.plan().id_map.gids) == "6=1000+1 ");
}

TEST_CASE("plan id map: other ids than the own ones are mapped by the helpers", "[plan]") {
    Case c = small_case(rootless_subid());
    c.linux_().uid_mappings = {{0, 100000, 1000}, {1000, 1000, 1}, {1001, 101000, 64536}};
    const plan::IdMapPlan map = c.plan().id_map;
    CHECK(map.method == IdMapMethod::run_helpers); // and the gids by the helper too
    CHECK(map.newuidmap == "/usr/bin/newuidmap");
    CHECK(map.newgidmap == "/usr/bin/newgidmap");
    CHECK(text_of(map.uids) == "0=100000+1000 1000=1000+1 1001=101000+64536 ");
    CHECK(text_of(map.gids) == "0=1000+1 ");
    CHECK(map.uid_ranges == "alice may map, by /etc/subuid, 100000-165535 300000-300999");
    CHECK(map.gid_ranges == "alice may map, by /etc/subgid, 200000-265535");
    // newgidmap denies setgroups when it maps nothing but the own gid.
    CHECK(c.plan().init.process.groups_method == plan::GroupsMethod::keep);
    c.linux_().gid_mappings = {{0, 1000, 1}, {1, 200000, 10}};
    c.process().user.additional_gids = {5};
    CHECK(c.plan().init.process.groups_method == plan::GroupsMethod::set);
    CHECK(c.plan().degradations.empty());
    c.facts.id_ranges.user.clear();
    c.facts.id_ranges.uids.clear();
    CHECK(c.plan().id_map.uid_ranges ==
          "uid 1000 has no range in /etc/subuid: let root add one, by usermod --add-subuids and "
          "--add-subgids");
}

TEST_CASE("plan id map: without mappings, the own id and every range", "[plan]") {
    Case c = small_case(rootless_subid());
    c.linux_().uid_mappings.clear();
    c.linux_().gid_mappings.clear();
    CHECK(c.plan().id_map.method == IdMapMethod::run_helpers);
    CHECK(text_of(c.plan().id_map.uids) == "0=1000+1 1=100000+65536 65537=300000+1000 ");
    CHECK(text_of(c.plan().id_map.gids) == "0=1000+1 1=200000+65536 ");
    CHECK(c.plan().degradations.empty());
    c.facts.id_ranges.uids = {{1, 4294967290}, {5, 10}}; // the container's ids end before
    CHECK(text_of(c.plan().id_map.uids) == "0=1000+1 1=1+4294967290 4294967291=5+10 ");
    struct Row {
        const char* why;
        std::function<void(host::IdRanges&)> take;
    };
    for (const Row& row : std::vector<Row>{
             {"newuidmap is not in /usr/bin:/bin", [](auto& r) { r.newuidmap.clear(); }},
             {"newgidmap is not in /usr/bin:/bin", [](auto& r) { r.newgidmap.clear(); }},
             {"alice has no range in /etc/subuid", [](auto& r) { r.uids.clear(); }},
             {"alice has no range in /etc/subgid", [](auto& r) { r.gids.clear(); }}}) {
        INFO(row.why);
        Case bare = c;
        row.take(bare.facts.id_ranges);
        const plan::LaunchPlan plan = bare.plan();
        CHECK(plan.id_map.method == IdMapMethod::write_own_ids);
        CHECK(text_of(plan.id_map.uids) == "0=1000+1 ");
        REQUIRE_FALSE(plan.degradations.empty());
        CHECK(plan.degradations[0].what == "/linux/uidMappings");
        CHECK(plan.degradations[0].why.find(row.why) != std::string::npos);
        bare.options.strict = true;
        CHECK_THROWS_AS(bare.plan(), Error);
    }
}

TEST_CASE("plan id map: a joined user namespace has its own", "[plan]") {
    for (const host::Facts& facts : {rootful(), rootless_bare(), root_in_userns()}) {
        Case c = small_case(facts);
        c.linux_().namespaces = {{"mount", ""}, {"user", "/proc/7/ns/user"}};
        c.linux_().uid_mappings = {{0, 0, 1}}; // as podman writes it
        c.linux_().gid_mappings = {{0, 0, 1}};
        c.process().user.uid = 77;
        c.process().user.additional_gids = {5};
        const plan::LaunchPlan plan = c.plan();
        CHECK(plan.user_namespace == plan::UserNamespace::joined);
        CHECK(plan.id_map.method == IdMapMethod::none);
        CHECK(plan.id_map.uids.empty());
        CHECK(plan.init.process.groups_method == plan::GroupsMethod::set_if_allowed);
        CHECK_FALSE(plan::needs_id_ranges(c.config, facts));
        for (const plan::DeviceStep& device : plan.init.rootfs.devices) {
            CHECK(device.method == plan::DeviceMethod::bind_from_host);
        }
    }
}

TEST_CASE("plan id map: the ranges are looked up only where they matter", "[plan]") {
    Case c = small_case(rootless_bare());
    CHECK_FALSE(plan::needs_id_ranges(c.config, c.facts));
    c.linux_().gid_mappings[0].host_id = 27;
    CHECK(plan::needs_id_ranges(c.config, c.facts));
    CHECK_FALSE(plan::needs_id_ranges(c.config, rootful()));
    c.linux_().uid_mappings.clear();
    c.linux_().gid_mappings.clear();
    CHECK(plan::needs_id_ranges(c.config, c.facts));
    c.linux_().namespaces = {{"mount", ""}};
    CHECK_FALSE(plan::needs_id_ranges(c.config, c.facts));
    c.config.linux_.reset();
    CHECK_FALSE(plan::needs_id_ranges(c.config, c.facts));
}

TEST_CASE("plan id map: which container ids are mapped", "[plan]") {
    const std::vector<IdMapping> map{{ContainerId{0}, HostId{1000}, 1},
                                     {ContainerId{10}, HostId{2000}, 5},
                                     {ContainerId{4294967290}, HostId{3000}, 5}};
    struct Row {
        std::uint32_t id;
        bool mapped;
    };
    for (const Row& row : std::vector<Row>{{0, true},
                                           {1, false},
                                           {9, false},
                                           {10, true},
                                           {14, true},
                                           {15, false},
                                           {1000, false},
                                           {4294967289, false},
                                           {4294967290, true},
                                           {4294967294, true},
                                           {4294967295, false}}) {
        INFO(row.id);
        CHECK(plan::is_mapped(map, row.id) == row.mapped);
    }
    CHECK(plan::is_mapped({}, 4294967294));
    CHECK_FALSE(plan::is_mapped({{ContainerId{0}, HostId{0}, 0}}, 0));
}

TEST_CASE("plan sysctl: names become paths by their first separator", "[plan]") {
    Case c = small_case();
    for (const char* kind : {"network", "ipc", "uts"}) {
        c.linux_().namespaces.push_back({kind, ""});
    }
    c.linux_().sysctl = {
        {"net.ipv4.ip_forward", "1"},
        {"net/ipv4/conf/eth0.1/forwarding", "0"},
        {"net.ipv4.conf.eth0/1.forwarding", "2"},
        {"kernel.sem", "250 32000 32 128"},
        {"kernel/shm_rmid_forced", "1"},
        {"fs.mqueue.msg_max", "10"},
        {"kernel.domainname", "d"},
    };
    const std::vector<std::pair<std::string, std::string>> wanted{
        {"fs/mqueue/msg_max", "10"},
        {"kernel/domainname", "d"},
        {"kernel/sem", "250 32000 32 128"},
        {"kernel/shm_rmid_forced", "1"},
        {"net/ipv4/conf/eth0.1/forwarding", "2"},
        {"net/ipv4/ip_forward", "1"},
        {"net/ipv4/conf/eth0.1/forwarding", "0"},
    };
    CHECK(c.plan().init.sysctls == wanted);
    c.linux_().sysctl = {{"user.max_user_namespaces", "1"}};
    c.linux_().namespaces.push_back({"user", ""});
    c.linux_().uid_mappings = {{0, 1000, 1}};
    c.linux_().gid_mappings = {{0, 1000, 1}};
    CHECK(c.plan().init.sysctls.size() == 1);
}

TEST_CASE("plan: the options of the verb are in the plan", "[plan]") {
    Case c = small_case();
    c.options.gate = plan::GateKind::channel;
    c.options.new_session_keyring = false;
    c.options.pivot = false;
    c.config.hostname = "h";
    c.config.domainname = "d";
    const plan::LaunchPlan plan = c.plan();
    CHECK(plan.id == "c1");
    CHECK(plan.init.id == "c1");
    CHECK(plan.bundle == "/bundles/c1");
    CHECK(plan.init.gate == plan::GateKind::channel);
    CHECK_FALSE(plan.init.new_session_keyring);
    CHECK_FALSE(plan.init.rootfs.pivot);
    CHECK(plan.init.hostname == "h");
    CHECK(plan.init.domainname == "d");
    c.config.linux_.reset(); // the same as an empty one, which lacks a mount namespace
    CHECK_THROWS_AS(c.plan(), Error);
}
