#include "support/catch.h"

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

namespace {

spec::Mount mount_of(const std::string& destination, const std::string& type,
                     const std::string& source, std::vector<std::string> mount_options = {}) {
    spec::Mount mount;
    mount.destination = destination;
    mount.type = type;
    mount.source = source;
    mount.options = std::move(mount_options);
    return mount;
}

/// The step of one mount.
MountStep step_of(Case c, const spec::Mount& mount) {
    c.config.mounts = {mount};
    return c.plan().init.rootfs.mounts.at(0);
}

const BindMount& bind_of(const MountStep& step) {
    REQUIRE(std::holds_alternative<BindMount>(step.what));
    return std::get<BindMount>(step.what);
}

const NewFilesystem& new_of(const MountStep& step) {
    REQUIRE(std::holds_alternative<NewFilesystem>(step.what));
    return std::get<NewFilesystem>(step.what);
}

} // namespace

TEST_CASE("plan mounts: a bind is one by its option or its type", "[plan]") {
    MountStep step = step_of(small_case(), mount_of("/a", "", "/src", {"rbind", "ro"}));
    CHECK(bind_of(step).source == "/src");
    CHECK(bind_of(step).recursive);
    CHECK(step.attributes == plan::AttributeChange{MOUNT_ATTR_RDONLY, 0});
    CHECK(step.recursive_attributes.empty());
    CHECK(step.propagation == MS_PRIVATE);
    CHECK(step.propagation_recursive);
    CHECK_FALSE(step.fallback);

    step = step_of(small_case(), mount_of("/a", "bind", "src/x"));
    CHECK(bind_of(step).source == "/bundles/c1/src/x"); // relative to the bundle
    CHECK_FALSE(bind_of(step).recursive);
    CHECK_FALSE(step.propagation_recursive);

    // The type decides nothing against the option: tmpfs with bind is a bind.
    CHECK(bind_of(step_of(small_case(), mount_of("/a", "tmpfs", "/s", {"bind"}))).source == "/s");
    CHECK_FALSE(step_of(small_case(), mount_of("/p", "proc", "/proc", {"bind"})).no_symlinks);
}

TEST_CASE("plan mounts: a source that is a symbolic link is followed unless told", "[plan]") {
    const auto link_of = [](const std::vector<std::string>& words) {
        return bind_of(step_of(small_case(), mount_of("/a", "bind", "/s", words))).link;
    };
    CHECK(link_of({}) == SourceLink::follow);
    CHECK(link_of({"src-nofollow"}) == SourceLink::bind);
    CHECK(link_of({"copy-symlink"}) == SourceLink::copy);
    CHECK(link_of({"copy-symlink", "src-nofollow"}) == SourceLink::copy);
    CHECK_FALSE(step_of(small_case(), mount_of("/a", "bind", "/s")).on_symlink);
    for (const char* type : {"bind", "tmpfs"}) {
        CHECK(step_of(small_case(), mount_of("/a", type, "/s", {"dest-nofollow"})).on_symlink);
    }
    for (const char* word : {"src-nofollow", "copy-symlink"}) {
        CHECK_THROWS_WITH(step_of(small_case(), mount_of("/a", "tmpfs", "t", {word})),
                          std::string("/mounts/0/options: ") + word + " is for a bind mount");
    }
}

TEST_CASE("plan mounts: attributes of the mount and of its tree stay apart", "[plan]") {
    const MountStep step =
        step_of(small_case(), mount_of("/a", "bind", "/s",
                                       {"rbind", "rro", "rnodev", "rsuid", "nosuid", "exec"}));
    CHECK(step.attributes == plan::AttributeChange{MOUNT_ATTR_NOSUID, MOUNT_ATTR_NOEXEC});
    CHECK(step.recursive_attributes ==
          plan::AttributeChange{MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV, MOUNT_ATTR_NOSUID});
}

TEST_CASE("plan mounts: propagation as the options say, else private", "[plan]") {
    struct Row {
        std::vector<std::string> options;
        std::uint32_t flags;
        bool recursive;
    };
    for (const Row& row : std::vector<Row>{
             {{"bind"}, MS_PRIVATE, false},
             {{"rbind"}, MS_PRIVATE, true},
             {{"rbind", "slave"}, MS_SLAVE, false},
             {{"bind", "rslave"}, MS_SLAVE, true},
             {{"bind", "rshared"}, MS_SHARED, true},
             {{"bind", "unbindable"}, MS_UNBINDABLE, false},
             {{"rbind", "rslave", "private"}, MS_PRIVATE, false},
         }) {
        INFO(row.options.back());
        const MountStep step = step_of(small_case(), mount_of("/a", "bind", "/s", row.options));
        CHECK(step.propagation == row.flags);
        CHECK(step.propagation_recursive == row.recursive);
    }
}

TEST_CASE("plan mounts: a new filesystem carries its data and flags", "[plan]") {
    MountStep step = step_of(
        small_case(), mount_of("/t", "tmpfs", "",
                               {"nosuid", "sync", "size=1k", "mode=755", "uid=3", "strictatime"}));
    CHECK(new_of(step).type == "tmpfs");
    CHECK(new_of(step).source == "tmpfs");
    CHECK(new_of(step).data == std::vector<std::string>{"size=1k", "mode=755", "uid=3"});
    CHECK(new_of(step).superblock_flags == MS_SYNCHRONOUS);
    CHECK(step.attributes.set == (MOUNT_ATTR_NOSUID | MOUNT_ATTR_STRICTATIME));
    CHECK(step.name == "mounts[0]");
    CHECK_FALSE(step.no_symlinks);
    CHECK(step_of(small_case(), mount_of("/proc", "proc", "proc")).no_symlinks);
    CHECK(step_of(small_case(), mount_of("/sys", "sysfs", "sysfs")).no_symlinks);
}

TEST_CASE("plan mounts: destinations are cleaned and never climb", "[plan]") {
    struct Row {
        const char* given;
        const char* planned;
    };
    for (const Row& row : std::vector<Row>{{"/a/../../../etc//x/", "/etc/x"},
                                           {"a/b", "/a/b"},
                                           {"/./dev/./pts", "/dev/pts"},
                                           {"/../x", "/x"},
                                           {"/a/.../b", "/a/.../b"}}) {
        INFO(row.given);
        CHECK(step_of(small_case(), mount_of(row.given, "tmpfs", "t")).destination == row.planned);
    }
}

TEST_CASE("plan mounts: the host's own instance is the fallback in a user namespace", "[plan]") {
    struct Row {
        const char* type;
        const char* source; ///< null: no fallback
    };
    for (const Row& row : std::vector<Row>{{"sysfs", "/sys"},
                                           {"mqueue", "/dev/mqueue"},
                                           {"cgroup2", "/sys/fs/cgroup"},
                                           {"proc", nullptr},
                                           {"tmpfs", nullptr},
                                           {"devpts", nullptr}}) {
        INFO(row.type);
        for (const host::Facts& facts : {rootless_bare(), root_in_userns()}) {
            const MountStep step = step_of(small_case(facts), mount_of("/m", row.type, "x"));
            REQUIRE(step.fallback.has_value() == (row.source != nullptr));
            if (row.source != nullptr) {
                CHECK(step.fallback->source == row.source);
                CHECK(step.fallback->recursive);
            }
        }
        const bool even_as_root = std::string(row.type) == "cgroup2";
        CHECK(step_of(small_case(), mount_of("/m", row.type, "x")).fallback.has_value() ==
              even_as_root);
    }
}

TEST_CASE("plan mounts: type cgroup is cgroup2, bound without a cgroup namespace", "[plan]") {
    Case c = small_case();
    const spec::Mount mount = mount_of("/sys/fs/cgroup", "cgroup", "cgroup", {"ro", "nosuid"});
    MountStep step = step_of(c, mount);
    CHECK(bind_of(step).source == "/sys/fs/cgroup");
    CHECK(bind_of(step).recursive);
    // Read-only must reach every mount of the hierarchy. CVE-2023-25809.
    CHECK(step.attributes.empty());
    CHECK(step.recursive_attributes.set == (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID));
    CHECK_FALSE(step.fallback);

    c.linux_().namespaces.push_back({"cgroup", ""});
    step = step_of(c, mount);
    CHECK(new_of(step).type == "cgroup2");
    CHECK(step.attributes.set == (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID));
    REQUIRE(step.fallback);
    CHECK(step.fallback->source == "/sys/fs/cgroup");

    c.linux_().namespaces.back().path = "/c"; // joined: its root is not this container's
    CHECK(bind_of(step_of(c, mount)).source == "/sys/fs/cgroup");
}

TEST_CASE("plan mounts: gid and uid options that are mapped are kept", "[plan]") {
    const MountStep step =
        step_of(small_case(rootless_bare()), mount_of("/t", "tmpfs", "t", {"gid=0", "uid=0"}));
    CHECK(new_of(step).data == std::vector<std::string>{"gid=0", "uid=0"});
    // Without a map every id is one.
    CHECK_NOTHROW(step_of(small_case(), mount_of("/t", "devpts", "t", {"gid=5"})));
    CHECK_NOTHROW(step_of(small_case(root_in_userns()), mount_of("/t", "devpts", "t", {"gid=5"})));
}

TEST_CASE("plan rootfs: path, propagation, masked and read-only paths", "[plan]") {
    Case c = small_case();
    plan::RootfsPlan rootfs = c.plan().init.rootfs;
    CHECK(rootfs.path == "/bundles/c1/rootfs");
    CHECK_FALSE(rootfs.readonly);
    CHECK(rootfs.pivot);
    CHECK(rootfs.propagation == 0);
    c.config.root = spec::Root{"/r", true};
    c.process().terminal = true;
    c.linux_().masked_paths = {"/proc/kcore", "/x"};
    c.linux_().readonly_paths = {"/proc/sys"};
    rootfs = c.plan().init.rootfs;
    CHECK(rootfs.path == "/r");
    CHECK(rootfs.readonly);
    CHECK(rootfs.masked_paths == std::vector<std::string>{"/proc/kcore", "/x"});
    CHECK(rootfs.readonly_paths == std::vector<std::string>{"/proc/sys"});

    struct Row {
        const char* word;
        std::uint64_t flags;
    };
    for (const Row& row : std::vector<Row>{{"private", MS_PRIVATE},
                                           {"rprivate", MS_PRIVATE | MS_REC},
                                           {"slave", MS_SLAVE},
                                           {"rslave", MS_SLAVE | MS_REC},
                                           {"shared", MS_SHARED},
                                           {"rshared", MS_SHARED | MS_REC},
                                           {"unbindable", MS_UNBINDABLE},
                                           {"runbindable", MS_UNBINDABLE | MS_REC}}) {
        INFO(row.word);
        c.linux_().rootfs_propagation = row.word;
        CHECK(c.plan().init.rootfs.propagation == row.flags);
    }
}
