#include "spec/spec_support.h"

#include "coracle/spec/config_json.h"
#include "coracle/spec/validate.h"

using namespace coracle;
using namespace spec_test;
using spec::Config;
using spec::parse_config;

namespace {

/// The error text for a config with `members` beside ociVersion.
std::string refusal(const std::string& members) {
    const Error error =
        error_of([&] { (void)parse_config("{\"ociVersion\":\"1.0.0\"," + members + "}"); });
    CHECK(error.kind() == ErrorKind::invalid_config);
    return error.text();
}

Config parse_members(const std::string& members) {
    return parse_config("{\"ociVersion\":\"1.0.0\"," + members + "}");
}

} // namespace

TEST_CASE("config: a real one of podman's size", "[config]") {
    const Config config = parse_config(read_data("config-podman.json"));
    CHECK_NOTHROW(spec::validate(config));
    CHECK(config.oci_version == "1.0.0");
    REQUIRE(config.process);
    CHECK(config.process->args == std::vector<std::string>{"/bin/true"});
    REQUIRE(config.process->capabilities);
    CHECK(config.process->capabilities->ambient.size() == 3);
    CHECK(config.process->rlimits.at(0).soft == 1024);
    CHECK(config.process->no_new_privileges);
    CHECK(config.root.value().readonly);
    CHECK(config.mounts.size() == 7);
    REQUIRE(config.linux_);
    CHECK(config.linux_->namespaces.size() == 6);
    CHECK(config.linux_->uid_mappings.at(0).host_id == 1000);
    CHECK(config.linux_->resources.value().devices.size() == 1);
    CHECK_FALSE(config.linux_->resources->memory);
    REQUIRE(config.linux_->seccomp);
    CHECK(config.linux_->seccomp->architectures.size() == 3);
    CHECK(config.linux_->seccomp->syscalls.size() == 22);
    std::size_t names = 0;
    for (const spec::SeccompSyscall& syscall : config.linux_->seccomp->syscalls) {
        names += syscall.names.size();
    }
    CHECK(names > 400);
}

// A stride that has no factor in common with 8: every bit of a byte has its turn. The fuzz target
// of config.json visits what is between.
constexpr std::size_t stride = 7;

TEST_CASE("config: cut anywhere it is an error, never a crash", "[config]") {
    std::string text = read_data("config-podman.json");
    while (!text.empty() && text.back() == '\n') {
        text.pop_back();
    }
    std::size_t tried = 0;
    std::size_t refused = 0;
    for (std::size_t length = 0; length < text.size(); length += stride) {
        ++tried;
        // A copy of exact size: a sanitizer sees a read beyond it.
        const std::vector<char> cut(text.begin(), text.begin() + static_cast<long>(length));
        try {
            (void)parse_config(std::string_view(cut.data(), cut.size()));
        } catch (const Error& error) {
            CHECK(error.kind() == ErrorKind::invalid_config);
            ++refused;
        }
    }
    CHECK(refused == tried);
}

TEST_CASE("config: flipped bits throw Error or parse, nothing else", "[config]") {
    const std::string text = read_data("config-podman.json");
    for (std::size_t at = 0; at < text.size(); at += stride) {
        std::string flipped = text;
        flipped[at] = static_cast<char>(flipped[at] ^ (1 << (at % 8)));
        try {
            spec::validate(parse_config(flipped));
        } catch (const Error& error) {
            CHECK(error.kind() == ErrorKind::invalid_config);
        }
    }
}

TEST_CASE("config: every field of process", "[config]") {
    const Config config = parse_members(R"("process":{"terminal":true,
        "consoleSize":{"height":24,"width":80},"cwd":"/w","env":["A=b"],"args":["a","b"],
        "user":{"uid":1,"gid":2,"umask":18,"additionalGids":[3,4]},
        "capabilities":{"bounding":["B"],"effective":["E"],"inheritable":["I"],"permitted":["P"],
                        "ambient":["A"]},
        "rlimits":[{"type":"RLIMIT_CORE","hard":18446744073709551615,"soft":0}],
        "noNewPrivileges":true,"apparmorProfile":"aa","selinuxLabel":"se","oomScoreAdj":-5,
        "scheduler":{"policy":"SCHED_BATCH","nice":-1,"priority":2,"flags":["F"],"runtime":3,
                     "deadline":4,"period":5},
        "ioPriority":{"class":"IOPRIO_CLASS_BE","priority":6},
        "execCPUAffinity":{"initial":"0-3","final":"7"}})");
    const spec::Process& process = config.process.value();
    CHECK(process.terminal);
    CHECK(process.console_size.value().height == 24);
    CHECK(process.console_size->width == 80);
    CHECK(process.cwd == "/w");
    CHECK(process.env == std::vector<std::string>{"A=b"});
    CHECK(process.args == std::vector<std::string>{"a", "b"});
    CHECK(process.user.uid == 1);
    CHECK(process.user.gid == 2);
    CHECK(process.user.umask == 18U);
    CHECK(process.user.additional_gids == std::vector<std::uint32_t>{3, 4});
    CHECK(process.capabilities.value().bounding == std::vector<std::string>{"B"});
    CHECK(process.capabilities->effective == std::vector<std::string>{"E"});
    CHECK(process.capabilities->inheritable == std::vector<std::string>{"I"});
    CHECK(process.capabilities->permitted == std::vector<std::string>{"P"});
    CHECK(process.capabilities->ambient == std::vector<std::string>{"A"});
    CHECK(process.rlimits.at(0).type == "RLIMIT_CORE");
    CHECK(process.rlimits[0].hard == ~std::uint64_t{0});
    CHECK(process.no_new_privileges);
    CHECK(process.apparmor_profile == "aa");
    CHECK(process.selinux_label == "se");
    CHECK(process.oom_score_adj == -5);
    CHECK(process.scheduler.value().policy == "SCHED_BATCH");
    CHECK(process.scheduler->nice == -1);
    CHECK(process.scheduler->priority == 2);
    CHECK(process.scheduler->flags == std::vector<std::string>{"F"});
    CHECK(process.scheduler->runtime == 3);
    CHECK(process.scheduler->deadline == 4);
    CHECK(process.scheduler->period == 5);
    CHECK(process.io_priority.value().priority_class == "IOPRIO_CLASS_BE");
    CHECK(process.io_priority->priority == 6);
    CHECK(process.exec_cpu_affinity.value().initial == "0-3");
    CHECK(process.exec_cpu_affinity->final_ == "7");
}

TEST_CASE("config: root, names, mounts, hooks and annotations", "[config]") {
    const Config config = parse_members(R"("root":{"path":"r","readonly":true},"hostname":"h",
        "domainname":"d","annotations":{"k":"v","gone":null},
        "mounts":[{"destination":"/d","type":"t","source":"s","options":["o"],
                   "uidMappings":[{"containerID":1,"hostID":2,"size":3}],
                   "gidMappings":[{"containerID":4,"hostID":5,"size":6}]}],
        "hooks":{"prestart":[{"path":"/1","args":["a"],"env":["E=1"],"timeout":9}],
                 "createRuntime":[{"path":"/2"}],"createContainer":[{"path":"/3"}],
                 "startContainer":[{"path":"/4"}],"poststart":[{"path":"/5"}],
                 "poststop":[{"path":"/6"}]})");
    CHECK(config.root.value().path == "r");
    CHECK(config.root->readonly);
    CHECK(config.hostname == "h");
    CHECK(config.domainname == "d");
    CHECK(config.annotations == std::map<std::string, std::string>{{"k", "v"}});
    const spec::Mount& mount = config.mounts.at(0);
    CHECK(mount.destination == "/d");
    CHECK(mount.type == "t");
    CHECK(mount.source == "s");
    CHECK(mount.options == std::vector<std::string>{"o"});
    CHECK(mount.uid_mappings.at(0).container_id == 1);
    CHECK(mount.uid_mappings[0].host_id == 2);
    CHECK(mount.gid_mappings.at(0).size == 6);
    CHECK(config.hooks.prestart.at(0).timeout == 9);
    CHECK(config.hooks.prestart[0].args == std::vector<std::string>{"a"});
    CHECK(config.hooks.prestart[0].env == std::vector<std::string>{"E=1"});
    CHECK(config.hooks.create_runtime.at(0).path == "/2");
    CHECK(config.hooks.create_container.at(0).path == "/3");
    CHECK(config.hooks.start_container.at(0).path == "/4");
    CHECK(config.hooks.poststart.at(0).path == "/5");
    CHECK(config.hooks.poststop.at(0).path == "/6");
    CHECK_FALSE(config.hooks.poststop[0].timeout);
}

TEST_CASE("config: every field of linux", "[config]") {
    const Config config = parse_members(R"("linux":{
        "namespaces":[{"type":"pid"},{"type":"network","path":"/n"}],
        "uidMappings":[{"containerID":0,"hostID":1,"size":2}],"gidMappings":[],
        "timeOffsets":{"monotonic":{"secs":-5,"nanosecs":6}},
        "devices":[{"path":"/dev/x","type":"c","major":1,"minor":2,"fileMode":438,"uid":3,"gid":4},
                   {"path":"/dev/fifo","type":"p"}],
        "cgroupsPath":"/c","sysctl":{"net.a":"1"},"rootfsPropagation":"rslave",
        "maskedPaths":["/m"],"readonlyPaths":["/r"],"mountLabel":"l",
        "personality":{"domain":"LINUX32","flags":["f"]},
        "intelRdt":{"closID":"x","l3CacheSchema":"L3:0=f","memBwSchema":"MB:0=1","schemata":["s"],
                    "enableMonitoring":true,"enableCMT":1,"enableMBM":"any"},
        "memoryPolicy":{"mode":"M","nodes":"0-1","flags":["F"]},
        "netDevices":{"eth0":{},"eth1":{"name":"in"}},
        "resources":{"devices":[{"allow":true,"type":"c","major":-1,"minor":5,"access":"rw"}],
                     "memory":{"limit":1},"cpu":{},"pids":null,"hugepageLimits":[],
                     "unified":{"a.b":"c"}},
        "seccomp":{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":38,"architectures":["A"],
                   "flags":["F"],"listenerPath":"/l","listenerMetadata":"m",
                   "syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW","errnoRet":1,
                     "args":[{"index":5,"value":18446744073709551615,"valueTwo":7,
                              "op":"SCMP_CMP_EQ"}]}]}})");
    const spec::Linux& result = config.linux_.value();
    CHECK(result.namespaces.at(1).type == "network");
    CHECK(result.namespaces[1].path == "/n");
    CHECK(result.uid_mappings.at(0).size == 2);
    CHECK(result.time_offsets.at("monotonic").secs == -5);
    CHECK(result.time_offsets.at("monotonic").nanosecs == 6);
    CHECK(result.devices.at(0).major == 1);
    CHECK(result.devices[0].minor == 2);
    CHECK(result.devices[0].file_mode == 438U);
    CHECK(result.devices[0].uid == 3U);
    CHECK(result.devices[0].gid == 4U);
    CHECK_FALSE(result.devices.at(1).file_mode);
    CHECK(result.cgroups_path == "/c");
    CHECK(result.sysctl.at("net.a") == "1");
    CHECK(result.rootfs_propagation == "rslave");
    CHECK(result.masked_paths == std::vector<std::string>{"/m"});
    CHECK(result.readonly_paths == std::vector<std::string>{"/r"});
    CHECK(result.mount_label == "l");
    CHECK(result.personality.value().domain == "LINUX32");
    CHECK(result.personality->flags == std::vector<std::string>{"f"});
    CHECK(result.intel_rdt.value().clos_id == "x");
    CHECK(result.intel_rdt->l3_cache_schema == "L3:0=f");
    CHECK(result.intel_rdt->mem_bw_schema == "MB:0=1");
    CHECK(result.intel_rdt->schemata == std::vector<std::string>{"s"});
    CHECK(result.intel_rdt->enable_monitoring);
    CHECK(result.memory_policy.value().mode == "M");
    CHECK(result.memory_policy->nodes == "0-1");
    CHECK(result.memory_policy->flags == std::vector<std::string>{"F"});
    CHECK(result.net_devices.at("eth0").name.empty());
    CHECK(result.net_devices.at("eth1").name == "in");
    const spec::Resources& resources = result.resources.value();
    CHECK(resources.memory.value().limit == 1);
    CHECK_FALSE(resources.cpu.value().shares);
    CHECK_FALSE(resources.pids_limit);
    CHECK(resources.unified.size() == 1);
    CHECK(resources.devices.at(0).allow);
    CHECK(resources.devices[0].major == -1);
    CHECK(resources.devices[0].access == "rw");
    const spec::Seccomp& seccomp = result.seccomp.value();
    CHECK(seccomp.default_errno_ret == 38U);
    CHECK(seccomp.listener_path == "/l");
    CHECK(seccomp.listener_metadata == "m");
    CHECK(seccomp.flags == std::vector<std::string>{"F"});
    const spec::SeccompSyscall& syscall = seccomp.syscalls.at(0);
    CHECK(syscall.errno_ret == 1U);
    CHECK(syscall.args.at(0).index == 5);
    CHECK(syscall.args[0].value == ~std::uint64_t{0});
    CHECK(syscall.args[0].value_two == 7);
    CHECK(syscall.args[0].op == "SCMP_CMP_EQ");
}

TEST_CASE("config: unknown keys are ignored, null counts as absent", "[config]") {
    const Config config = parse_members(R"("x":[{"y":1}],"windows":{"a":true},"process":null,
        "linux":{"seccomp":null,"resources":{"devices":null},"new":{}},"mounts":null)");
    CHECK_FALSE(config.process);
    CHECK(config.mounts.empty());
    REQUIRE(config.linux_);
    CHECK_FALSE(config.linux_->seccomp);
    REQUIRE(config.linux_->resources);
}

TEST_CASE("config: what is refused, and where", "[config]") {
    struct Row {
        const char* members;
        const char* text;
    };
    const std::vector<Row> rows{
        {R"("process":{"cwd":"/","user":{"uid":4294967296}})", "/process/user/uid: must be an int"},
        {R"("process":{"cwd":"/","user":{"uid":-1}})", "/process/user/uid: must be an integer"},
        {R"("process":{"cwd":"/","user":{"gid":1.0}})", "/process/user/gid: must be an integer"},
        {R"("process":{"cwd":"/","user":{"additionalGids":[1,1e3]}})", "/additionalGids/1: must"},
        {R"("process":{"cwd":"/","args":["a",1]})", "/process/args/1: must be a string, not an in"},
        {R"("process":{"cwd":"/","args":["a",null]})", "/process/args/1: must be a string, not nu"},
        {R"("process":{"cwd":"/","args":"a"})", "/process/args: must be an array, not a string"},
        {R"("process":{"cwd":"/","terminal":1})", "/process/terminal: must be true or false"},
        {R"("process":{"cwd":null})", "/process: the member \"cwd\" is missing"},
        {R"("process":[])", "/process: must be an object, not an array"},
        {R"("process":{"cwd":"/","rlimits":[{"type":"X","hard":1}]})", "\"soft\" is missing"},
        {R"("root":{})", "/root: the member \"path\" is missing"},
        {R"("mounts":[{"source":"x"}])", "/mounts/0: the member \"destination\" is missing"},
        {R"("hooks":{"poststop":[{"args":[]}]})", "/hooks/poststop/0: the member \"path\""},
        {R"("annotations":{"a":1})", "/annotations/a: must be a string"},
        {R"("linux":{"namespaces":[{"path":"/x"}]})", "/linux/namespaces/0: the member \"type\""},
        {R"("linux":{"uidMappings":[{"containerID":0,"hostID":0}]})", "\"size\" is missing"},
        {R"("linux":{"devices":[{"path":"/dev/x","type":"c","major":1}]})", "\"minor\" is missing"},
        {R"("linux":{"devices":[{"path":"/dev/x","type":"c","major":1.5}]})", "/devices/0/major:"},
        {R"("linux":{"resources":{"memory":[]}})", "/linux/resources/memory: must be an object"},
        {R"("linux":{"resources":{"devices":[{"access":"r"}]}})", "\"allow\" is missing"},
        {R"("linux":{"intelRdt":true})", "/linux/intelRdt: must be an object"},
        {R"("linux":{"seccomp":{}})", "/linux/seccomp: the member \"defaultAction\" is missing"},
        {R"("linux":{"seccomp":{"defaultAction":"A","syscalls":[{"action":"A"}]}})",
         "/linux/seccomp/syscalls/0: the member \"names\" is missing"},
        {R"("linux":{"personality":{}})", "/linux/personality: the member \"domain\" is missing"},
        {R"("hostname":"a","hostname":"b")", "the key \"hostname\" twice"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.members);
        CHECK(holds(refusal(row.members), std::string("config.json: ")));
        CHECK(holds(refusal(row.members), row.text));
    }
    CHECK(holds(error_of([] { (void)parse_config("{}"); }).text(), "\"ociVersion\" is missing"));
    CHECK(holds(error_of([] { (void)parse_config("[]"); }).text(), "must be an object"));
}
