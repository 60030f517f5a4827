#include "support/catch.h"

#include "coracle/base/error.h"
#include "unit/plan/plan_support.h"

#include <functional>
#include <string>
#include <vector>

using namespace coracle;
using namespace coracle::test;

namespace {

struct Refusal {
    ErrorKind kind;
    const char* text; ///< how the error begins
    std::function<void(Case&)> change;
};

constexpr const char* needs_helpers =
    "/linux/uidMappings: other ids than your own 1000:1000 are mapped by newuidmap and newgidmap, "
    "and newuidmap is not in /usr/bin:/bin (Debian: package uidmap): install it, or map only your "
    "own ids, with size 1";
constexpr ErrorKind unsupported = ErrorKind::unsupported;
constexpr ErrorKind invalid = ErrorKind::invalid_config;
constexpr ErrorKind denied = ErrorKind::denied;

/// Each refusal, and that the same case without the change is planned.
void check_refusals(const Case& base, const std::vector<Refusal>& refusals) {
    REQUIRE_NOTHROW(base.plan());
    for (const Refusal& refusal : refusals) {
        INFO("wanted: " << refusal.text);
        Case changed = base;
        refusal.change(changed);
        try {
            (void)changed.plan();
            FAIL_CHECK("it was planned");
        } catch (const Error& error) {
            INFO("thrown: " << error.text());
            CHECK(error.kind() == refusal.kind);
            CHECK(error.text().rfind(refusal.text, 0) == 0);
            CHECK(error.errnum() == 0);
        }
    }
}

spec::Mount mount_of(const std::string& type, std::vector<std::string> mount_options = {}) {
    spec::Mount mount;
    mount.destination = "/m";
    mount.type = type;
    mount.source = "/source";
    mount.options = std::move(mount_options);
    return mount;
}

void use_seccomp(Case& c, const std::string& action) {
    c.linux_().seccomp.emplace();
    c.linux_().seccomp->default_action = action;
}

void use_device(Case& c, const std::string& type, std::int64_t major, std::int64_t minor) {
    spec::Device device;
    device.path = "/dev/x";
    device.type = type;
    device.major = major;
    device.minor = minor;
    c.linux_().devices = {device};
}

} // namespace

TEST_CASE("plan refusals: what this build cannot honour names its member", "[plan]") {
    check_refusals(
        small_case(),
        {
            {unsupported,
             "/process/apparmorProfile: AppArmor is not enabled in this kernel, so box cannot be "
             "applied: leave the profile out, or boot with lsm=...,apparmor",
             [](Case& c) { c.process().apparmor_profile = "box"; }},
            {unsupported, "/process/selinuxLabel: SELinux is not enabled in this kernel, so l ",
             [](Case& c) { c.process().selinux_label = "l"; }},
            {unsupported, "/linux/mountLabel: SELinux is not enabled in this kernel, so l ",
             [](Case& c) { c.linux_().mount_label = "l"; }},
            {invalid, "/process: missing; it is required to run a container",
             [](Case& c) {
                 c.config.process.reset();
                 c.options.gate = plan::GateKind::channel;
             }},
            {invalid, "/linux/timeOffsets: the time namespace that is joined has its offsets",
             [](Case& c) {
                 c.linux_().namespaces.push_back({"time", "/t"});
                 c.linux_().time_offsets["boottime"] = {};
             }},
            {unsupported, "/linux/intelRdt: resctrl is not mounted: leave the member out, or, on a",
             [](Case& c) { c.linux_().intel_rdt.emplace(); }},
            {unsupported, "/linux/resources/pids/limit: a limit needs a cgroup: no cgroup2 here",
             [](Case& c) { c.linux_().resources.emplace().pids_limit = 5; }},
            {unsupported, "/process/terminal: not supported together with --no-pivot yet",
             [](Case& c) {
                 c.process().terminal = true;
                 c.options.pivot = false;
             }},
        });
}

TEST_CASE("plan refusals: namespaces and id maps", "[plan]") {
    const std::vector<Refusal> of_anyone{
        {unsupported, "/linux/namespaces: a container needs its own mount namespace: add",
         [](Case& c) { c.linux_().namespaces.erase(c.linux_().namespaces.begin()); }},
        {invalid, "/linux/namespaces: unknown type net",
         [](Case& c) {
             c.linux_().namespaces.push_back({"net", ""});
         }},
    };
    check_refusals(small_case(), of_anyone);
    check_refusals(small_case(root_in_userns()), of_anyone);
    check_refusals(small_case(rootless_bare()), of_anyone);
    check_refusals(
        small_case(rootless_bare()),
        {
            {unsupported,
             "/linux/netDevices: network devices are not supported for rootless containers: moving "
             "one needs CAP_NET_ADMIN",
             [](Case& c) { c.linux_().net_devices["eth0"]; }},
            {unsupported, "/linux/namespaces: rootless container requires user namespaces: add",
             [](Case& c) { c.linux_().namespaces.pop_back(); }},
            {unsupported, needs_helpers, [](Case& c) { c.linux_().uid_mappings[0].host_id = 0; }},
            {unsupported, needs_helpers, [](Case& c) { c.linux_().uid_mappings[0].size = 2; }},
            {unsupported, needs_helpers,
             [](Case& c) {
                 c.linux_().uid_mappings.push_back({1, 100000, 1});
             }},
            {unsupported, needs_helpers, [](Case& c) { c.linux_().gid_mappings[0].host_id = 27; }},
        });
    check_refusals(
        small_case(rootful()),
        {{invalid, "/linux/uidMappings: is empty, but a user namespace is made; add", [](Case& c) {
              c.linux_().namespaces.push_back({"user", ""});
          }}});
}

TEST_CASE("plan refusals: the root and the mounts", "[plan]") {
    check_refusals(
        small_case(),
        {
            {invalid, "/root/path: missing", [](Case& c) { c.config.root.reset(); }},
            {invalid, "/root/path: missing", [](Case& c) { c.config.root->path.clear(); }},
            {unsupported, "/mounts/0/destination: a mount over / is not supported",
             [](Case& c) {
                 c.config.mounts = {mount_of("tmpfs")};
                 c.config.mounts[0].destination = "/";
             }},
            {invalid,
             "/mounts/0/options: idmap without uidMappings and gidMappings is about the "
             "container's user namespace, and it has none of its own",
             [](Case& c) {
                 c.add_mount(mount_of("bind", {"bind", "idmap"}));
             }},
            {unsupported, "/mounts/0: only a bind mount can be id-mapped",
             [](Case& c) { c.add_mount(mount_of("tmpfs", {"ridmap"})); }},
            {unsupported, "/mounts/0: only a bind mount can be id-mapped",
             [](Case& c) {
                 c.add_mount(mount_of("bind", {"remount", "bind"}));
                 c.config.mounts[0].uid_mappings.push_back({0, 0, 1});
             }},
            {invalid, "/mounts/1/options: tmpcopyup is for a new tmpfs",
             [](Case& c) {
                 c.add_mount(mount_of("tmpfs"));
                 c.add_mount(mount_of("proc", {"tmpcopyup"}));
             }},
            {invalid, "/mounts/0/options: tmpcopyup is for a new tmpfs",
             [](Case& c) {
                 c.add_mount(mount_of("tmpfs", {"tmpcopyup", "bind"}));
             }},
            {invalid, "/mounts/0/options: tmpcopyup is for a new tmpfs",
             [](Case& c) {
                 c.add_mount(mount_of("tmpfs", {"tmpcopyup", "remount"}));
             }},
            {invalid,
             "/mounts/0/options: a bind mount has no option size=1k, which belongs to a "
             "filesystem",
             [](Case& c) {
                 c.add_mount(mount_of("bind", {"ro", "size=1k"}));
             }},
            {invalid, "/mounts/0/source: a bind mount needs a source",
             [](Case& c) {
                 c.add_mount(mount_of("none", {"rbind"}));
                 c.config.mounts[0].source.clear();
             }},
            {invalid, "/mounts/0/type: missing, and no option says bind or rbind",
             [](Case& c) { c.add_mount(mount_of("")); }},
        });
}

TEST_CASE("plan refusals: ids that the user namespace does not map", "[plan]") {
    check_refusals(
        small_case(rootless_bare()),
        {
            {invalid,
             "/mounts/0/options: gid=5: gid 5 is not mapped in the container's user namespace: "
             "remove the "
             "option, or map it in /linux/gidMappings",
             [](Case& c) { c.add_mount(mount_of("devpts", {"gid=5"})); }},
            {invalid,
             "/mounts/0/options: uid=1: uid 1 is not mapped in the container's user namespace: "
             "remove the "
             "option, or map it in /linux/uidMappings",
             [](Case& c) { c.add_mount(mount_of("tmpfs", {"uid=1"})); }},
            {invalid, "/mounts/0/options: gid=x: not a number of an id",
             [](Case& c) { c.add_mount(mount_of("tmpfs", {"gid=x"})); }},
            {invalid, "/mounts/0/options: gid=4294967296: not a number of an id",
             [](Case& c) { c.add_mount(mount_of("tmpfs", {"gid=4294967296"})); }},
            {invalid,
             "/process/user/uid: cannot setuid to unmapped uid 1 in user namespace: map it in "
             "/linux/uidMappings",
             [](Case& c) { c.process().user.uid = 1; }},
            {invalid,
             "/process/user/gid: cannot setgid to unmapped gid 1 in user namespace: map it in "
             "/linux/gidMappings",
             [](Case& c) { c.process().user.gid = 1; }},
            {invalid, "/process/user/additionalGids: gid 7 is not mapped in /linux/gidMappings",
             [](Case& c) { c.process().user.additional_gids = {7}; }},
            {unsupported,
             "/process/user/additionalGids: cannot set any additional groups in a rootless "
             "container",
             [](Case& c) { c.process().user.additional_gids = {0}; }},
        });
    check_refusals(small_case(root_in_userns()),
                   {{unsupported,
                     "/process/user/additionalGids: cannot set any additional groups in a "
                     "rootless container",
                     [](Case& c) { c.process().user.additional_gids = {0}; }}});
}

TEST_CASE("plan refusals: devices, limits and seccomp", "[plan]") {
    check_refusals(
        small_case(),
        {
            {invalid, "/linux/devices/0/type: unknown type q",
             [](Case& c) { use_device(c, "q", 1, 3); }},
            {invalid, "/linux/devices/0/major: device number out of range",
             [](Case& c) { use_device(c, "c", -1, 3); }},
            {invalid, "/linux/devices/0/minor: device number out of range",
             [](Case& c) { use_device(c, "b", 1, std::int64_t{UINT32_MAX} + 1); }},
            {invalid, "/process/rlimits: unknown type RLIMIT_X",
             [](Case& c) {
                 c.process().rlimits.push_back({"RLIMIT_X", 1, 1});
             }},
            {invalid, "/linux/seccomp/defaultAction: unknown action SCMP_ACT_X",
             [](Case& c) { use_seccomp(c, "SCMP_ACT_X"); }},
            {invalid, "/linux/seccomp/listenerPath: SCMP_ACT_NOTIFY needs the absolute path",
             [](Case& c) { use_seccomp(c, "SCMP_ACT_NOTIFY"); }},
            {invalid, "/linux/seccomp/listenerPath: SCMP_ACT_NOTIFY needs the absolute path",
             [](Case& c) {
                 use_seccomp(c, "SCMP_ACT_ALLOW");
                 c.linux_().seccomp->syscalls.resize(2);
                 c.linux_().seccomp->syscalls[0].action = "SCMP_ACT_ERRNO";
                 c.linux_().seccomp->syscalls[1].action = "SCMP_ACT_NOTIFY";
             }},
            {invalid, "/annotations/run.oci.seccomp.receiver: SCMP_ACT_NOTIFY needs the absolute",
             [](Case& c) {
                 use_seccomp(c, "SCMP_ACT_NOTIFY");
                 c.config.annotations = {{"run.oci.seccomp.receiver", "relative"}};
             }},
            {invalid, "/annotations/run.oci.seccomp_fail_unknown_syscall: yes must be 0 or 1",
             [](Case& c) {
                 use_seccomp(c, "SCMP_ACT_ALLOW");
                 c.config.annotations = {{"run.oci.seccomp_fail_unknown_syscall", "yes"}};
             }},
            {invalid, "/annotations/run.oci.pidfd_receiver: must be the absolute path",
             [](Case& c) {
                 c.config.annotations = {{"run.oci.pidfd_receiver", "x"}};
             }},
            {invalid, "/linux/seccomp/syscalls/0/action: unknown action y",
             [](Case& c) {
                 use_seccomp(c, "SCMP_ACT_ALLOW");
                 c.linux_().seccomp->syscalls.resize(1);
                 c.linux_().seccomp->syscalls[0].action = "y";
             }},
            {invalid,
             "/linux/seccomp/flags: SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV is for filters with",
             [](Case& c) {
                 use_seccomp(c, "SCMP_ACT_ALLOW");
                 c.linux_().seccomp->flags = {"SECCOMP_FILTER_FLAG_LOG",
                                              "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"};
             }},
            {unsupported, "/linux/seccomp/flags: SECCOMP_FILTER_FLAG_X is not supported",
             [](Case& c) {
                 use_seccomp(c, "SCMP_ACT_ALLOW");
                 c.linux_().seccomp->flags = {"SECCOMP_FILTER_FLAG_X"};
             }},
        });
}

TEST_CASE("plan refusals: sysctls that are not the container's own", "[plan]") {
    const auto set = [](const std::string& key) {
        return [key](Case& c) { c.linux_().sysctl[key] = "1"; };
    };
    check_refusals(
        small_case(),
        {
            {denied, "/linux/sysctl/kernel.core_pattern: belongs to the whole host",
             set("kernel.core_pattern")},
            {denied, "/linux/sysctl/vm/overcommit_memory: belongs to the whole host",
             set("vm/overcommit_memory")},
            {denied, "/linux/sysctl/fs.mqueue: belongs to the whole host", set("fs.mqueue")},
            {denied, "/linux/sysctl/kernel.shm: belongs to the whole host", set("kernel.shm")},
            {invalid, "/linux/sysctl/net..core_pattern: not the name of a sysctl",
             set("net..core_pattern")},
            {invalid, "/linux/sysctl/net/../kernel/core_pattern: not the name of a sysctl",
             set("net/../kernel/core_pattern")},
            {invalid, "/linux/sysctl/net.//.kernel: not the name of a sysctl",
             set("net.//.kernel")},
            {invalid, "/linux/sysctl//net/x: not the name of a sysctl", set("/net/x")},
            {invalid, "/linux/sysctl/: not the name of a sysctl", set("")},
            {denied,
             "/linux/sysctl/net.ipv4.ip_forward: would change the host: add a network namespace",
             set("net.ipv4.ip_forward")},
            {denied, "/linux/sysctl/kernel.sem: would change the host: add a ipc namespace",
             set("kernel.sem")},
            {denied, "/linux/sysctl/fs.mqueue.msg_max: would change the host: add a ipc namespace",
             set("fs.mqueue.msg_max")},
            {denied, "/linux/sysctl/kernel.hostname: would change the host: add a uts namespace",
             set("kernel.hostname")},
            {denied,
             "/linux/sysctl/user.max_user_namespaces: would change the host: add a user namespace",
             set("user.max_user_namespaces")},
        });
}

TEST_CASE("plan refusals: with --strict each degradation is an error", "[plan]") {
    Case base = small_case();
    base.options.strict = true;
    check_refusals(
        base, {
                  {unsupported, "/linux/cgroupsPath: the container stays in the caller's cgroup",
                   [](Case& c) { c.linux_().cgroups_path = "/x"; }},
                  {unsupported, "/linux/resources/devices: no device rules without a cgroup",
                   [](Case& c) { c.linux_().resources.emplace().devices.emplace_back(); }},
                  {unsupported, "/process/capabilities/bounding: CAP_X is not a known capability",
                   [](Case& c) {
                       c.process().capabilities.emplace();
                       c.process().capabilities->bounding = {"CAP_X"};
                   }},
                  {unsupported, "/process/capabilities/ambient: capabilities that are not in the",
                   [](Case& c) {
                       c.process().capabilities.emplace();
                       c.process().capabilities->ambient = {"CAP_CHOWN"};
                   }},
              });
    Case user = small_case(rootless_bare());
    user.facts.groups = {1000};
    user.options.strict = true;
    check_refusals(user,
                   {
                       {unsupported, "/process/user/additionalGids: the caller's supplementary",
                        [](Case& c) { c.facts.groups = {27}; }},
                       {unsupported, "/process/oomScoreAdj: lowering it needs CAP_SYS_RESOURCE",
                        [](Case& c) { c.process().oom_score_adj = 99; }},
                   });
}
