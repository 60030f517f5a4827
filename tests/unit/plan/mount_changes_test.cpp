#include "support/catch.h"

#include "coracle/base/error.h"
#include "unit/plan/plan_support.h"

#include <string>
#include <sys/mount.h>
#include <variant>
#include <vector>

using namespace coracle;
using namespace coracle::test;
using plan::BindMount;
using plan::MountStep;
using plan::NewFilesystem;
using plan::Remount;

namespace {

struct Entry {
    const char* destination;
    const char* type;
    std::vector<std::string> options;
};

Case with_mounts(Case c, const std::vector<Entry>& entries) {
    for (const Entry& entry : entries) {
        spec::Mount mount;
        mount.destination = entry.destination;
        mount.type = entry.type;
        mount.source = "/source";
        mount.options = entry.options;
        c.config.mounts.push_back(mount);
    }
    return c;
}

std::vector<MountStep> steps_of(const std::vector<Entry>& entries) {
    return with_mounts(small_case(), entries).plan().init.rootfs.mounts;
}

const NewFilesystem& new_of(const MountStep& step) {
    REQUIRE(std::holds_alternative<NewFilesystem>(step.what));
    return std::get<NewFilesystem>(step.what);
}

std::string refusal_of(const std::vector<Entry>& entries) {
    const Case c = with_mounts(small_case(), entries);
    try {
        (void)c.plan();
    } catch (const Error& error) { // catch: the test is about it
        return error.text();
    }
    return "planned";
}

} // namespace

TEST_CASE("plan mounts: of a new filesystem, tree and top are the same mount", "[plan]") {
    const MountStep step = steps_of({{"/t", "tmpfs", {"rro", "rnosuid", "suid", "noexec"}}}).at(0);
    CHECK(step.attributes.set == (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC));
    CHECK(step.attributes.clear == 0); // a new mount has nothing else
    CHECK(step.recursive_attributes.empty());
    CHECK(steps_of({{"/t", "tmpfs", {"rnoatime", "strictatime"}}}).at(0).attributes ==
          plan::AttributeChange{MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME});
}

TEST_CASE("plan mounts: read-only is the superblock's too where it is the container's", "[plan]") {
    CHECK(new_of(steps_of({{"/t", "ext4", {"ro"}}}).at(0)).superblock_flags == MS_RDONLY);
    CHECK(new_of(steps_of({{"/t", "overlay", {"rro"}}}).at(0)).superblock_flags == MS_RDONLY);
    for (const char* type : {"sysfs", "proc", "cgroup2", "mqueue", "devpts", "tmpfs"}) {
        CAPTURE(type);
        CHECK(new_of(steps_of({{"/t", type, {"ro"}}}).at(0)).superblock_flags == 0);
    }
}

TEST_CASE("plan mounts: a read-only tmpfs is filled first", "[plan]") {
    std::vector<MountStep> steps =
        steps_of({{"/dev", "tmpfs", {"ro", "nosuid"}}, {"/a", "tmpfs", {"ro"}}});
    CHECK(steps.at(0).read_only_last); // the default devices
    CHECK(steps.at(0).attributes.set == MOUNT_ATTR_NOSUID);
    CHECK_FALSE(steps.at(1).read_only_last);
    CHECK(steps.at(1).attributes.set == MOUNT_ATTR_RDONLY);
    steps = steps_of({{"/a", "tmpfs", {"ro"}}, {"/a/b", "tmpfs", {}}, {"/ab/c", "tmpfs", {"ro"}}});
    CHECK(steps.at(0).read_only_last);
    CHECK_FALSE(steps.at(2).read_only_last);
    // What was there before is covered, not filled.
    CHECK_FALSE(steps_of({{"/a/b", "tmpfs", {}}, {"/a", "tmpfs", {"ro"}}}).at(1).read_only_last);
}

TEST_CASE("plan mounts: tmpcopyup is of the tmpfs", "[plan]") {
    CHECK(new_of(steps_of({{"/t", "tmpfs", {"tmpcopyup"}}}).at(0)).copy_up);
    CHECK_FALSE(new_of(steps_of({{"/t", "tmpfs", {}}}).at(0)).copy_up);
}

TEST_CASE("plan mounts: a remount changes what is at its destination", "[plan]") {
    const std::vector<MountStep> steps =
        steps_of({{"/t", "tmpfs", {"size=1k"}},
                  {"/t/", "", {"remount", "ro", "rnodev", "size=2k", "async", "lazytime"}},
                  {"/", "", {"remount", "bind", "nosuid", "rshared"}}});
    const Remount& change = std::get<Remount>(steps.at(1).what);
    CHECK(change.data == std::vector<std::string>{"size=2k"});
    CHECK(change.superblock_flags == MS_LAZYTIME);
    CHECK(change.superblock_clear == MS_SYNCHRONOUS);
    CHECK(steps.at(1).attributes == plan::AttributeChange{MOUNT_ATTR_RDONLY, 0});
    CHECK(steps.at(1).recursive_attributes == plan::AttributeChange{MOUNT_ATTR_NODEV, 0});
    CHECK(steps.at(1).propagation == 0); // as it was
    CHECK(std::holds_alternative<Remount>(steps.at(2).what));
    CHECK(steps.at(2).propagation == MS_SHARED);
    CHECK(steps.at(2).propagation_recursive);
}

TEST_CASE("plan mounts: a remount that cannot be is refused", "[plan]") {
    const char* no_filesystem = " belongs to a filesystem, and no earlier mount makes one at /t to "
                                "remount";
    CHECK(refusal_of({{"/t", "tmpfs", {"remount", "size=1k"}}}) ==
          std::string("/mounts/0/options: size=1k") + no_filesystem);
    CHECK(refusal_of({{"/t", "bind", {}}, {"/t", "", {"remount", "async"}}}) ==
          std::string("/mounts/1/options: async") + no_filesystem);
    // The last that was mounted there counts.
    CHECK(refusal_of({{"/t", "tmpfs", {}}, {"/t", "bind", {}}, {"/t", "", {"remount", "sync"}}}) ==
          std::string("/mounts/2/options: sync") + no_filesystem);
    CHECK(refusal_of({{"/t", "tmpfs", {}}, {"/t", "", {"remount", "noiversion"}}}) ==
          "/mounts/1/options: iversion cannot be changed by remount: give it to the mount itself");
    CHECK(refusal_of({{"/t", "tmpfs", {}}, {"/t", "", {"remount", "bind", "nolazytime"}}}) ==
          "/mounts/1/options: a bind mount has no option nolazytime, which belongs to a "
          "filesystem");
    CHECK(refusal_of({{"/t", "bind", {"async", "nomand", "silent", "loud"}}}) == "planned");
}

TEST_CASE("plan rootfs: mounts without a word of their own follow a recursive root", "[plan]") {
    struct Row {
        const char* root;
        std::uint32_t inherited;
    };
    for (const Row& row : std::vector<Row>{{"", MS_PRIVATE},
                                           {"shared", MS_PRIVATE},
                                           {"rshared", MS_SHARED},
                                           {"slave", MS_PRIVATE},
                                           {"rslave", MS_SLAVE},
                                           {"rprivate", MS_PRIVATE},
                                           {"runbindable", MS_PRIVATE}}) { // set at the end
        INFO(row.root);
        Case c = with_mounts(
            small_case(), {{"/t", "bind", {}}, {"/p", "bind", {"private"}}, {"/n", "tmpfs", {}}});
        c.linux_().rootfs_propagation = row.root;
        const std::vector<MountStep> steps = c.plan().init.rootfs.mounts;
        CHECK(steps.at(0).propagation == row.inherited);
        CHECK(steps.at(1).propagation == MS_PRIVATE);
        const bool is_slave = row.inherited == MS_SLAVE; // a new filesystem has no master
        CHECK(steps.at(2).propagation == (is_slave ? unsigned{MS_PRIVATE} : row.inherited));
    }
}

TEST_CASE("plan rootfs: a shared bind in a shared root keeps its peers on the host", "[plan]") {
    struct Row {
        host::Facts facts;
        const char* root;
        const char* option;
        bool peers;
        bool degraded;
    };
    for (const Row& row : std::vector<Row>{{rootful(), "rshared", "rshared", true, false},
                                           {rootful(), "shared", "shared", true, false},
                                           {rootful(), "rshared", "rslave", false, false},
                                           {rootful(), "rshared", "nosuid", false, false},
                                           {rootful(), "rslave", "rshared", false, false},
                                           {rootful(), "", "rshared", false, false},
                                           {rootless_bare(), "rshared", "rshared", false, true},
                                           {rootless_bare(), "", "rshared", false, false}}) {
        INFO(row.root << " " << row.option);
        Case c = with_mounts(small_case(row.facts), {{"/v", "bind", {"rbind", row.option}}});
        c.linux_().rootfs_propagation = row.root;
        const plan::LaunchPlan plan = c.plan();
        CHECK(std::get<BindMount>(plan.init.rootfs.mounts.at(0).what).with_host_peers == row.peers);
        bool reported = false;
        for (const plan::Degradation& entry : plan.degradations) {
            reported = reported || entry.what == "mounts[0] /v";
        }
        CHECK(reported == row.degraded);
    }
}

TEST_CASE("plan mounts: the parent opens what init could not", "[plan]") {
    const std::vector<Entry> entries{
        {"/t", "tmpfs", {}}, {"/a", "bind", {"rbind"}}, {"/b", "bind", {"ridmap"}}};
    Case c = with_mounts(small_case(), {entries[0], entries[1]});
    CHECK(c.plan().mount_sources.empty()); // init is root of the host
    CHECK_FALSE(c.plan().init.rootfs.sources_given);

    c = with_mounts(small_case(), entries);
    c.linux_().namespaces.push_back({"user", ""});
    c.linux_().uid_mappings = {{0, 100000, 10}};
    c.linux_().gid_mappings = {{0, 100000, 10}};
    const plan::LaunchPlan plan = c.plan();
    CHECK(plan.init.rootfs.sources_given);
    REQUIRE(plan.mount_sources.size() == 3); // the root, then each bind
    CHECK(plan.mount_sources[0].path == "/bundles/c1/rootfs");
    CHECK(plan.mount_sources[0].recursive);
    CHECK(plan.mount_sources[1].name == "mounts[1] /a");
    CHECK(plan.mount_sources[1].recursive);
    CHECK(plan.mount_sources[1].id_map == plan::MountIdMap::none);
    CHECK_FALSE(plan.mount_sources[2].recursive);
    CHECK(plan.mount_sources[2].id_map == plan::MountIdMap::container);
    CHECK(plan.mount_sources[2].id_map_recursive);

    // A plain user's container root is the user.
    CHECK(with_mounts(small_case(rootless_bare()), {entries[1]}).plan().mount_sources.empty());
}

TEST_CASE("plan mounts: the maps of a mount are its own", "[plan]") {
    Case c = with_mounts(small_case(), {{"/a", "bind", {}}});
    c.config.mounts[0].uid_mappings = {{5, 1005, 3}};
    c.config.mounts[0].gid_mappings = {{6, 1006, 4}};
    const plan::LaunchPlan plan = c.plan();
    REQUIRE(plan.mount_sources.size() == 2);
    const plan::MountSource& source = plan.mount_sources[1];
    CHECK(source.id_map == plan::MountIdMap::own);
    CHECK_FALSE(source.id_map_recursive);
    REQUIRE(source.uids.size() == 1);
    REQUIRE(source.gids.size() == 1);
    CHECK(value_of(source.uids[0].container) == 5);
    CHECK(value_of(source.uids[0].host) == 1005);
    CHECK(source.gids[0].size == 4);
}
