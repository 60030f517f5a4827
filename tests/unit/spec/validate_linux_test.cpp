#include "spec/spec_support.h"

#include "coracle/spec/validate.h"

using namespace coracle;
using namespace spec_test;
using spec::Config;
using spec::Linux;

namespace {

struct Row {
    const char* text; ///< part of the error; empty: the config is good
    std::function<void(Linux&)> change;
};

void check_rows(const std::vector<Row>& rows) {
    for (const Row& row : rows) {
        CAPTURE(row.text);
        Config config;
        config.oci_version = "1.0.0";
        config.root = spec::Root{"rootfs", false};
        config.linux_.emplace();
        row.change(*config.linux_);
        if (*row.text == '\0') {
            CHECK_NOTHROW(spec::validate(config));
            continue;
        }
        const Error error = error_of([&] { spec::validate(config); });
        CHECK(error.kind() == ErrorKind::invalid_config);
        CHECK(holds(error.text(), std::string("config.json: /linux/") + row.text));
    }
}

/// A new user namespace whose gids are right.
void add_user_namespace(Linux& config, std::vector<spec::IdMapping> uids) {
    config.namespaces = {{"user", ""}};
    config.uid_mappings = std::move(uids);
    config.gid_mappings = {{0, 1000, 1}};
}

void add_rule(Linux& config, const spec::SeccompSyscall& syscall) {
    config.seccomp.emplace().default_action = "SCMP_ACT_ERRNO";
    config.seccomp->syscalls = {syscall};
}

} // namespace

TEST_CASE("validate: namespaces", "[validate]") {
    check_rows({
        {"",
         [](Linux& l) {
             l.namespaces = {{"mount", ""}, {"network", "/n"}, {"cgroup", ""}};
         }},
        {"namespaces/0/type: \"net\" is not a kind",
         [](Linux& l) {
             l.namespaces = {{"net", ""}};
         }},
        {"namespaces/1/type: \"pid\" is given twice",
         [](Linux& l) {
             l.namespaces = {{"pid", ""}, {"pid", "/p"}};
         }},
        {"namespaces/0/path: \"p\" is not an absolute",
         [](Linux& l) {
             l.namespaces = {{"pid", "p"}};
         }},
    });
}

TEST_CASE("validate: id mappings", "[validate]") {
    check_rows({
        {"",
         [](Linux& l) {
             add_user_namespace(l, {{0, 1000, 1}, {1, 100000, 65536}});
         }},
        {"uidMappings: is empty, but the other one is not",
         [](Linux& l) { add_user_namespace(l, {}); }},
        {"gidMappings: is empty, but the other one is not",
         [](Linux& l) {
             add_user_namespace(l, {{0, 0, 1}});
             l.gid_mappings.clear();
         }},
        {"uidMappings: needs a user namespace",
         [](Linux& l) {
             l.uid_mappings = {{0, 0, 1}};
         }},
        {"gidMappings: needs a user namespace",
         [](Linux& l) {
             l.gid_mappings = {{0, 0, 1}};
         }},
        {"", // by default the caller's ranges
         [](Linux& l) {
             l.namespaces = {{"user", ""}};
         }},
        {"", // podman gives a mapping beside the path
         [](Linux& l) {
             add_user_namespace(l, {{0, 0, 1}});
             l.namespaces[0].path = "/proc/1/ns/user";
         }},
        {"",
         [](Linux& l) {
             l.namespaces = {{"user", "/proc/1/ns/user"}};
         }},
        {"uidMappings/0/size: must be greater",
         [](Linux& l) {
             add_user_namespace(l, {{0, 0, 0}});
         }},
        {"uidMappings/0: reaches beyond",
         [](Linux& l) {
             add_user_namespace(l, {{4294967295, 0, 1}});
         }},
        {"uidMappings/0: reaches beyond",
         [](Linux& l) {
             add_user_namespace(l, {{0, 4294967294, 2}});
         }},
        {"uidMappings/0: reaches beyond",
         [](Linux& l) {
             add_user_namespace(l, {{1, 1, 4294967295}});
         }},
        {"",
         [](Linux& l) {
             add_user_namespace(l, {{0, 0, 4294967295}});
         }},
        {"uidMappings/1: overlaps entry 0 on the container side",
         [](Linux& l) {
             add_user_namespace(l, {{5, 1000, 10}, {0, 5000, 6}});
         }},
        {"uidMappings/2: overlaps entry 0 on the host side",
         [](Linux& l) {
             add_user_namespace(l, {{0, 0, 10}, {100, 100, 1}, {200, 9, 1}});
         }},
    });
}

TEST_CASE("validate: time offsets", "[validate]") {
    check_rows({
        {"",
         [](Linux& l) {
             l.namespaces = {{"time", ""}};
             l.time_offsets["boottime"] = {-1, 999999999};
         }},
        {"timeOffsets: needs a time namespace", [](Linux& l) { l.time_offsets["boottime"] = {}; }},
        {"timeOffsets: has the clock \"realtime\"",
         [](Linux& l) {
             l.namespaces = {{"time", ""}};
             l.time_offsets["realtime"] = {};
         }},
        {"timeOffsets/monotonic/nanosecs: must be below",
         [](Linux& l) {
             l.namespaces = {{"time", ""}};
             l.time_offsets["monotonic"] = {0, 1000000000};
         }},
    });
}

TEST_CASE("validate: devices and device rules", "[validate]") {
    check_rows({
        {"",
         [](Linux& l) {
             l.devices = {{"/dev/x", "c", 1, 3, {}, {}, {}}};
         }},
        {"",
         [](Linux& l) {
             l.devices = {{"/dev/x", "p", 0, 0, 0666, 0, 0}};
         }},
        {"",
         [](Linux& l) {
             l.devices = {{"/dev/x", "b", 4095, 1048575, {}, {}, {}}};
         }},
        {"devices/0/path: \"x\" is not an absolute",
         [](Linux& l) {
             l.devices = {{"x", "c", 1, 3, {}, {}, {}}};
         }},
        {"devices/0/type: \"d\" is not known; use one of c, b, u, p",
         [](Linux& l) {
             l.devices = {{"/x", "d", 1, 3, {}, {}, {}}};
         }},
        {"devices/0/major: must be",
         [](Linux& l) {
             l.devices = {{"/x", "c", -1, 3, {}, {}, {}}};
         }},
        {"devices/0/major: must be",
         [](Linux& l) {
             l.devices = {{"/x", "c", 4096, 3, {}, {}, {}}};
         }},
        {"devices/0/minor: must be",
         [](Linux& l) {
             l.devices = {{"/x", "u", 1, 1048576, {}, {}, {}}};
         }},
        {"devices/0: has the id 4294967295",
         [](Linux& l) {
             l.devices = {{"/x", "c", 1, 3, {}, 4294967295, {}}};
         }},
        {"",
         [](Linux& l) {
             l.resources.emplace().devices = {{true, "", {}, -1, "rwm"}};
         }},
        {"resources/devices/0/type: \"x\" is not known",
         [](Linux& l) {
             l.resources.emplace().devices = {{true, "x", {}, {}, "r"}};
         }},
        {"resources/devices/0/access: \"rx\" has letters",
         [](Linux& l) {
             l.resources.emplace().devices = {{true, "c", {}, {}, "rx"}};
         }},
        {"resources/devices/0/minor: must be -1",
         [](Linux& l) {
             l.resources.emplace().devices = {{true, "c", 1, -2, "r"}};
         }},
    });
}

TEST_CASE("validate: sysctl names", "[validate]") {
    for (const char* good : {"net.ipv4.ip_forward", "net/ipv4/conf/eth0.100/forwarding",
                             "kernel.shm_rmid_forced", "net.ipv4.conf.br-1/2.forwarding"}) {
        CAPTURE(good);
        Config config;
        config.oci_version = "1.0.0";
        config.root = spec::Root{"rootfs", false};
        config.linux_.emplace().sysctl[good] = "1\t2";
        CHECK_NOTHROW(spec::validate(config));
    }
    for (const char* bad : {"", ".", "..", "a..b", "../a", "a/../b", "/a", "a/", "a.", "a//b",
                            "+net.a", "a+b", "a b", "a\nb", "a;b", "net.\xc3\xa4"}) {
        CAPTURE(bad);
        Config config;
        config.oci_version = "1.0.0";
        config.root = spec::Root{"rootfs", false};
        config.linux_.emplace().sysctl[bad] = "1";
        CHECK(holds(error_of([&] { spec::validate(config); }).text(), "/linux/sysctl: \""));
    }
    check_rows({
        {"sysctl/net.a: the value contains", [](Linux& l) { l.sysctl["net.a"] = "1\nkernel.x=2"; }},
    });
}

TEST_CASE("validate: paths and enum words", "[validate]") {
    check_rows({
        {"maskedPaths/1: \"b\" is not",
         [](Linux& l) {
             l.masked_paths = {"/a", "b"};
         }},
        {"readonlyPaths/0: \"\" is not", [](Linux& l) { l.readonly_paths = {""}; }},
        {"cgroupsPath: \"/a/../b\" contains", [](Linux& l) { l.cgroups_path = "/a/../b"; }},
        {"", [](Linux& l) { l.cgroups_path = "user.slice:coracle:a..b"; }},
        {"rootfsPropagation: \"x\" is not known", [](Linux& l) { l.rootfs_propagation = "x"; }},
        {"", [](Linux& l) { l.rootfs_propagation = "runbindable"; }},
        {"personality/domain: \"BSD\" is not known",
         [](Linux& l) { l.personality.emplace().domain = "BSD"; }},
        {"", [](Linux& l) { l.personality.emplace().domain = "LINUX32"; }},
        {"personality/flags: \"ADDR_NO_RANDOMIZE\" is not known: the runtime-spec has no flags",
         [](Linux& l) {
             l.personality = {"LINUX", {"ADDR_NO_RANDOMIZE"}};
         }},
        {"mountLabel: contains a newline", [](Linux& l) { l.mount_label = "a\n"; }},
    });
}

TEST_CASE("validate: seccomp", "[validate]") {
    check_rows({
        {"",
         [](Linux& l) {
             add_rule(l, {{"read"}, "SCMP_ACT_TRACE", 4094, {{5, 0, 0, "SCMP_CMP_MASKED_EQ"}}});
             l.seccomp->architectures = {"SCMP_ARCH_X86_64", "SCMP_ARCH_RISCV64"};
             l.seccomp->flags = {"SECCOMP_FILTER_FLAG_LOG"};
             l.seccomp->default_errno_ret = 38;
         }},
        {"seccomp/defaultAction: \"ALLOW\" is not known; use one of SCMP_ACT_ALLOW, ",
         [](Linux& l) { l.seccomp.emplace().default_action = "ALLOW"; }},
        {"seccomp/defaultErrnoRet: goes with SCMP_ACT_ERRNO",
         [](Linux& l) {
             l.seccomp.emplace().default_action = "SCMP_ACT_ALLOW";
             l.seccomp->default_errno_ret = 1;
         }},
        {"seccomp/architectures/0: \"x86\" is not known",
         [](Linux& l) {
             l.seccomp.emplace().default_action = "SCMP_ACT_ALLOW";
             l.seccomp->architectures = {"x86"};
         }},
        {"seccomp/flags/0: \"X\" is not known",
         [](Linux& l) {
             l.seccomp.emplace().default_action = "SCMP_ACT_ALLOW";
             l.seccomp->flags = {"X"};
         }},
        {"seccomp/syscalls/0/names: is empty",
         [](Linux& l) {
             add_rule(l, {{}, "SCMP_ACT_ALLOW", {}, {}});
         }},
        {"seccomp/syscalls/0/names/1: is empty",
         [](Linux& l) {
             add_rule(l, {{"read", ""}, "SCMP_ACT_ALLOW", {}, {}});
         }},
        {"seccomp/syscalls/0/action: \"X\" is not known",
         [](Linux& l) {
             add_rule(l, {{"read"}, "X", {}, {}});
         }},
        {"seccomp/syscalls/0/errnoRet: goes with",
         [](Linux& l) {
             add_rule(l, {{"read"}, "SCMP_ACT_KILL", 1, {}});
         }},
        {"seccomp/syscalls/0/errnoRet: must be from 0 to 4094",
         [](Linux& l) {
             add_rule(l, {{"read"}, "SCMP_ACT_ERRNO", 4095, {}});
         }},
        {"seccomp/syscalls/0/args/0/index: must be from 0 to 5",
         [](Linux& l) {
             add_rule(l, {{"read"}, "SCMP_ACT_ALLOW", {}, {{6, 0, 0, "SCMP_CMP_EQ"}}});
         }},
        {"seccomp/syscalls/0/args/1/op: \"==\" is not known",
         [](Linux& l) {
             add_rule(
                 l, {{"read"}, "SCMP_ACT_ALLOW", {}, {{0, 0, 0, "SCMP_CMP_EQ"}, {0, 0, 0, "=="}}});
         }},
    });
}
