#include "coracle/spec/config_json.h"
#include "coracle/spec/config_writer.h"

#include "support/catch.h"
#include <string>

using namespace coracle;

namespace {

/// Every key that the reader knows, in the order of the writer.
const char* const every_key =
    R"({"ociVersion":"1.3.0","root":{"path":"rootfs","readonly":true},)"
    R"("process":{"terminal":true,"consoleSize":{"height":24,"width":80},)"
    R"("user":{"uid":1,"gid":2,"umask":18,"additionalGids":[3,4]},"args":["a","b"],)"
    R"("env":["A=\"\u0001"],"cwd":"/","capabilities":{"bounding":["CAP_KILL"],)"
    R"("effective":["CAP_KILL"],"inheritable":["CAP_KILL"],"permitted":["CAP_KILL"],)"
    R"("ambient":["CAP_KILL"]},"rlimits":[{"type":"RLIMIT_NOFILE","hard":18446744073709551615,)"
    R"("soft":5}],"noNewPrivileges":true,"apparmorProfile":"p","selinuxLabel":"l",)"
    R"("oomScoreAdj":-5,"scheduler":{"policy":"SCHED_DEADLINE","nice":1,"priority":2,)"
    R"("flags":["SCHED_FLAG_RECLAIM"],"runtime":3,"deadline":4,"period":5},)"
    R"("ioPriority":{"class":"IOPRIO_CLASS_IDLE","priority":0},)"
    R"("execCPUAffinity":{"initial":"0","final":"1"}},"hostname":"h","domainname":"d",)"
    R"("mounts":[{"destination":"/m","type":"bind","source":"/s","options":["ro"],)"
    R"("uidMappings":[{"containerID":0,"hostID":1,"size":2}],)"
    R"("gidMappings":[{"containerID":3,"hostID":4,"size":5}]}],)"
    R"("hooks":{"prestart":[{"path":"/1","args":["a"],"env":["B=c"],"timeout":3}],)"
    R"("createRuntime":[{"path":"/2"}],"createContainer":[{"path":"/3"}],)"
    R"("startContainer":[{"path":"/4"}],"poststart":[{"path":"/5"}],"poststop":[{"path":"/6"}]},)"
    R"("annotations":{"k":"v"},"linux":{"namespaces":[{"type":"pid"},{"type":"user","path":"/n"}],)"
    R"("uidMappings":[{"containerID":0,"hostID":1,"size":2}],)"
    R"("gidMappings":[{"containerID":3,"hostID":4,"size":5}],)"
    R"("timeOffsets":{"boottime":{"secs":-1,"nanosecs":0}},)"
    R"("devices":[{"path":"/dev/x","type":"c","major":1,"minor":0,"fileMode":420,"uid":1,"gid":2},)"
    R"({"path":"/dev/p","type":"p"}],"cgroupsPath":"/c","resources":{"devices":[{"allow":false,)"
    R"("type":"c","major":1,"minor":2,"access":"rwm"}],"memory":{"limit":1,"reservation":-1,)"
    R"("swap":2,"kernel":3,"kernelTCP":4,"swappiness":5,"disableOOMKiller":true,)"
    R"("checkBeforeUpdate":true},"cpu":{"shares":1,"quota":-1,"burst":2,"period":3,)"
    R"("realtimeRuntime":4,"realtimePeriod":5,"cpus":"0","mems":"0","idle":1},)"
    R"("pids":{"limit":0},"blockIO":{"weight":10,"leafWeight":11,"weightDevice":[{"major":1,)"
    R"("minor":2,"weight":12,"leafWeight":13}],)"
    R"("throttleReadBpsDevice":[{"major":1,"minor":2,"rate":3}],)"
    R"("throttleWriteBpsDevice":[{"major":1,"minor":2,"rate":4}],)"
    R"("throttleReadIOPSDevice":[{"major":1,"minor":2,"rate":5}],)"
    R"("throttleWriteIOPSDevice":[{"major":1,"minor":2,"rate":6}]},)"
    R"("hugepageLimits":[{"pageSize":"2MB","limit":7}],)"
    R"("rdma":{"mlx5":{"hcaHandles":1,"hcaObjects":2}},"network":{"classID":1},)"
    R"("unified":{"memory.high":"1"}},"sysctl":{"net.a":"1"},)"
    R"("seccomp":{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":38,)"
    R"("architectures":["SCMP_ARCH_X86_64"],"flags":["SECCOMP_FILTER_FLAG_LOG"],)"
    R"("listenerPath":"/l","listenerMetadata":"m","syscalls":[{"names":["clone"],)"
    R"("action":"SCMP_ACT_ERRNO","errnoRet":1,"args":[{"index":0,"value":2,"valueTwo":3,)"
    R"("op":"SCMP_CMP_MASKED_EQ"}]}]},"rootfsPropagation":"private","maskedPaths":["/a"],)"
    R"("readonlyPaths":["/b"],"mountLabel":"ml","personality":{"domain":"LINUX32","flags":["F"]},)"
    R"("intelRdt":{"closID":"c","l3CacheSchema":"l","memBwSchema":"m","schemata":["s"],)"
    R"("enableMonitoring":true},"memoryPolicy":{"mode":"MPOL_BIND","nodes":"0",)"
    R"("flags":["MPOL_F_STATIC_NODES"]},"netDevices":{"eth0":{"name":"e"}}}})"
    "\n";

} // namespace

TEST_CASE("a configuration with every key is written as it was read") {
    std::string written =
        spec::write_config(spec::parse_config(every_key), spec::ConfigLayout::compact);
    CHECK(written == every_key);
}

TEST_CASE("what is for people reads back the same") {
    std::string text = spec::write_config(spec::parse_config(every_key), spec::ConfigLayout::tabs);
    CHECK(spec::write_config(spec::parse_config(text), spec::ConfigLayout::compact) == every_key);
}

TEST_CASE("of an empty configuration the version is written") {
    CHECK(spec::write_config(spec::parse_config(R"({"ociVersion":"1.0.0"})"),
                             spec::ConfigLayout::compact) == "{\"ociVersion\":\"1.0.0\"}\n");
}
