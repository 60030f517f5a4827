#include "spec/spec_support.h"

#include "coracle/spec/validate.h"

using namespace coracle;
using namespace spec_test;
using spec::Config;

namespace {

Config good_config() {
    Config config;
    config.oci_version = "1.0.0";
    config.root = spec::Root{"rootfs", false};
    config.process.emplace();
    config.process->cwd = "/";
    config.process->args = {"sh"};
    config.process->env = {"A=", "B=c=d"};
    config.linux_.emplace();
    config.linux_->namespaces = {{"uts", ""}, {"pid", "/proc/1/ns/pid"}};
    return config;
}

struct Row {
    const char* text; ///< part of the error; empty: the config is good
    void (*change)(Config&);
};

void check_rows(const std::vector<Row>& rows) {
    for (const Row& row : rows) {
        CAPTURE(row.text);
        Config config = good_config();
        row.change(config);
        if (*row.text == '\0') {
            CHECK_NOTHROW(spec::validate(config));
            continue;
        }
        const Error error = error_of([&] { spec::validate(config); });
        CHECK(error.kind() == ErrorKind::invalid_config);
        CHECK(holds(error.text(), std::string("config.json: ") + row.text));
    }
}

spec::Hook make_hook(std::string path, std::optional<std::int32_t> timeout) {
    spec::Hook hook;
    hook.path = std::move(path);
    hook.timeout = timeout;
    return hook;
}

} // namespace

TEST_CASE("validate: a good config", "[validate]") {
    CHECK_NOTHROW(spec::validate(good_config()));
}

TEST_CASE("validate: ociVersion", "[validate]") {
    for (const char* good :
         {"1.0.0", "1.3.0", "1.2.99", "1.0.2-dev", "1.0.0-rc5", "1.1.0+build.1", "1.0.0-rc.1+x"}) {
        CAPTURE(good);
        Config config = good_config();
        config.oci_version = good;
        CHECK_NOTHROW(spec::validate(config));
    }
    for (const char* bad : {"", "1", "1.0", "1.0.0.0", "2.0.0", "0.9.0", "v1.0.0", "1.0.x",
                            "1.0.0-", "1.0.0-a b", " 1.0.0", "01.0.0", "1..0", "11.0.0"}) {
        CAPTURE(bad);
        Config config = good_config();
        config.oci_version = bad;
        CHECK(holds(error_of([&] { spec::validate(config); }).text(), "/ociVersion: \""));
    }
}

TEST_CASE("validate: root and process", "[validate]") {
    check_rows({
        {"/root: is missing", [](Config& c) { c.root.reset(); }},
        {"/root/path: is empty", [](Config& c) { c.root->path.clear(); }},
        {"", [](Config& c) { c.process.reset(); }},
        {"/process/cwd: \"w\" is not an absolute", [](Config& c) { c.process->cwd = "w"; }},
        {"/process/cwd: \"\" is not an absolute", [](Config& c) { c.process->cwd.clear(); }},
        {"/process/args: is empty", [](Config& c) { c.process->args.clear(); }},
        {"/process/args/0: is empty",
         [](Config& c) {
             c.process->args = {"", "x"};
         }},
        {"",
         [](Config& c) {
             c.process->args = {"x", ""};
         }},
        {"/process/env/1: is not of the form",
         [](Config& c) {
             c.process->env = {"A=b", "C"};
         }},
        {"/process/env/0: is not of the form", [](Config& c) { c.process->env = {"=b"}; }},
        {"/process/env/0: is not of the form", [](Config& c) { c.process->env = {""}; }},
        {"/process/env/0: contains a NUL",
         [](Config& c) { c.process->env = {std::string("A=\0", 3)}; }},
    });
}

TEST_CASE("validate: a refused environment entry is not shown", "[validate]") {
    Config config = good_config();
    config.process->env = {"secret-token"};
    const std::string text = error_of([&] { spec::validate(config); }).text();
    CHECK(text.find("secret") == std::string::npos);
}

TEST_CASE("validate: ids", "[validate]") {
    check_rows({
        {"/process/user/uid: 4294967295", [](Config& c) { c.process->user.uid = 4294967295; }},
        {"/process/user/gid: 4294967295", [](Config& c) { c.process->user.gid = 4294967295; }},
        {"/process/user/additionalGids/1: 4294967295",
         [](Config& c) {
             c.process->user.additional_gids = {0, 4294967295};
         }},
        {"", [](Config& c) { c.process->user.uid = 4294967294; }},
    });
}

TEST_CASE("validate: limits and scheduling", "[validate]") {
    check_rows({
        {"",
         [](Config& c) {
             c.process->rlimits = {{"RLIMIT_CORE", 5, 5}};
         }},
        {"/process/rlimits/0/type: \"RLIMIT_X\" is not a limit",
         [](Config& c) {
             c.process->rlimits = {{"RLIMIT_X", 1, 1}};
         }},
        {"/process/rlimits/1/type: \"RLIMIT_CORE\" is given twice",
         [](Config& c) {
             c.process->rlimits = {{"RLIMIT_CORE", 1, 1}, {"RLIMIT_CORE", 1, 1}};
         }},
        {"/process/rlimits/0/soft: is above the hard limit 1",
         [](Config& c) {
             c.process->rlimits = {{"RLIMIT_CORE", 1, 2}};
         }},
        {"", [](Config& c) { c.process->oom_score_adj = -1000; }},
        {"/process/oomScoreAdj: must be", [](Config& c) { c.process->oom_score_adj = 1001; }},
        {"/process/oomScoreAdj: must be", [](Config& c) { c.process->oom_score_adj = -1001; }},
        {"/process/scheduler/policy: \"X\" is not known; use one of SCHED_OTHER, ",
         [](Config& c) { c.process->scheduler.emplace().policy = "X"; }},
        {"/process/scheduler/flags/0: \"X\" is not known",
         [](Config& c) {
             c.process->scheduler.emplace().policy = "SCHED_IDLE";
             c.process->scheduler->flags = {"X"};
         }},
        {"/process/scheduler/nice: must be from -20 to 19",
         [](Config& c) {
             c.process->scheduler = spec::Scheduler{"SCHED_BATCH", 20, 0, {}, 0, 0, 0};
         }},
        {"",
         [](Config& c) {
             c.process->scheduler = spec::Scheduler{"SCHED_OTHER", -20, 0, {}, 0, 0, 0};
         }},
        {"/process/scheduler/priority: must be from 1 to 99 with SCHED_RR",
         [](Config& c) { c.process->scheduler = spec::Scheduler{"SCHED_RR", 0, 0, {}, 0, 0, 0}; }},
        {"/process/scheduler/priority: must be from 1 to 99 with SCHED_FIFO",
         [](Config& c) {
             c.process->scheduler = spec::Scheduler{"SCHED_FIFO", 0, 100, {}, 0, 0, 0};
         }},
        {"/process/scheduler/priority: goes with SCHED_FIFO and SCHED_RR only, not with SCHED_IDLE",
         [](Config& c) {
             c.process->scheduler = spec::Scheduler{"SCHED_IDLE", 0, 1, {}, 0, 0, 0};
         }},
        {"/process/scheduler: runtime, deadline and period go with SCHED_DEADLINE only",
         [](Config& c) {
             c.process->scheduler = spec::Scheduler{"SCHED_FIFO", 0, 1, {}, 0, 0, 1};
         }},
        {"/process/scheduler: SCHED_DEADLINE needs 1024 <= runtime",
         [](Config& c) {
             c.process->scheduler = spec::Scheduler{"SCHED_DEADLINE", 0, 0, {}, 1023, 2000, 0};
         }},
        {"/process/scheduler: SCHED_DEADLINE needs",
         [](Config& c) {
             c.process->scheduler = spec::Scheduler{"SCHED_DEADLINE", 0, 0, {}, 3000, 2000, 0};
         }},
        {"/process/scheduler: SCHED_DEADLINE needs",
         [](Config& c) {
             c.process->scheduler = spec::Scheduler{"SCHED_DEADLINE", 0, 0, {}, 1024, 2000, 1999};
         }},
        {"",
         [](Config& c) {
             c.process->scheduler = spec::Scheduler{"SCHED_DEADLINE", 0, 0, {}, 1024, 1024, 0};
         }},
        {"/process/apparmorProfile: contains a newline",
         [](Config& c) { c.process->apparmor_profile = "a\nb"; }},
        {"/process/selinuxLabel: contains a newline",
         [](Config& c) { c.process->selinux_label = "a\nb"; }},
        {"/process/execCPUAffinity/initial: \"3-1\" is not a list of CPUs",
         [](Config& c) {
             c.process->exec_cpu_affinity = {"3-1", ""};
         }},
        {"/process/execCPUAffinity/initial: \"0,\" is not a list of CPUs",
         [](Config& c) {
             c.process->exec_cpu_affinity = {"0,", ""};
         }},
        {"/process/execCPUAffinity/final: \"65536\" is not a list of CPUs",
         [](Config& c) {
             c.process->exec_cpu_affinity = {"", "65536"};
         }},
        {"",
         [](Config& c) {
             c.process->exec_cpu_affinity = {"1024-4095", "65535"};
         }},
        {"/process/ioPriority/class: \"X\" is not known",
         [](Config& c) {
             c.process->io_priority = {"X", 0};
         }},
        {"/process/ioPriority/priority: must be from 0 to 7",
         [](Config& c) {
             c.process->io_priority = {"IOPRIO_CLASS_RT", 8};
         }},
        {"",
         [](Config& c) {
             c.process->io_priority = {"IOPRIO_CLASS_RT", 7};
         }},
        {"/process/execCPUAffinity/final: \"a\" is not a list of CPUs",
         [](Config& c) {
             c.process->exec_cpu_affinity = {"0-3", "a"};
         }},
        {"",
         [](Config& c) {
             c.process->exec_cpu_affinity = {"0-3, 7", ""};
         }},
        {"/process/consoleSize/width: must be",
         [](Config& c) {
             c.process->terminal = true;
             c.process->console_size = {1, 65536};
         }},
        {"",
         [](Config& c) {
             c.process->console_size = {65536, 65536};
         }},
    });
}

TEST_CASE("validate: host and domain name", "[validate]") {
    check_rows({
        {"", [](Config& c) { c.hostname = "h"; }},
        {"/hostname: needs a uts namespace",
         [](Config& c) {
             c.hostname = "h";
             c.linux_->namespaces.clear();
         }},
        {"/domainname: needs a uts namespace",
         [](Config& c) {
             c.domainname = "d";
             c.linux_.reset();
         }},
        {"", [](Config& c) { c.hostname = std::string(64, 'h'); }},
        {"/hostname: is longer than 64", [](Config& c) { c.hostname = std::string(65, 'h'); }},
    });
}

TEST_CASE("validate: mounts", "[validate]") {
    check_rows({
        {"",
         [](Config& c) {
             c.mounts.resize(1, {"relative", "", "", {}, {}, {}});
         }},
        {"/mounts/1/destination: is empty",
         [](Config& c) {
             c.mounts.resize(2);
             c.mounts[0].destination = "/a";
         }},
        {"/mounts/0: has one of uidMappings and gidMappings",
         [](Config& c) {
             c.mounts.resize(1);
             c.mounts[0].destination = "/a";
             c.mounts[0].uid_mappings = {{0, 0, 1}};
         }},
        {"/mounts/0/gidMappings/0/size: must be greater",
         [](Config& c) {
             c.mounts.resize(1);
             c.mounts[0].destination = "/a";
             c.mounts[0].uid_mappings = {{0, 0, 1}};
             c.mounts[0].gid_mappings = {{0, 0, 0}};
         }},
    });
}

TEST_CASE("validate: hooks and annotations", "[validate]") {
    check_rows({
        {"", [](Config& c) { c.hooks.prestart = {make_hook("/h", 1)}; }},
        {"/hooks/prestart/0/path: \"h\" is not an absolute",
         [](Config& c) { c.hooks.prestart = {make_hook("h", 1)}; }},
        {"/hooks/createRuntime/1/timeout: must be greater than 0",
         [](Config& c) {
             c.hooks.create_runtime = {make_hook("/h", {}), make_hook("/h", 0)};
         }},
        {"/hooks/createContainer/0/timeout: must be greater than 0",
         [](Config& c) { c.hooks.create_container = {make_hook("/h", -1)}; }},
        {"/hooks/startContainer/0/path", [](Config& c) { c.hooks.start_container.resize(1); }},
        {"/hooks/poststart/0/path", [](Config& c) { c.hooks.poststart.resize(1); }},
        {"/hooks/poststop/0/env/0: is not of the form",
         [](Config& c) {
             c.hooks.poststop = {make_hook("/h", {})};
             c.hooks.poststop[0].env = {"X"};
         }},
        {"/annotations/: a name must not be empty", [](Config& c) { c.annotations[""] = "v"; }},
    });
}
