#pragma once

#include "launch/protocol_private.h"

#include <cerrno>
#include <sys/mount.h>
#include <vector>

/// One of every message, with every field set to something of its own.
namespace coracle::test {

inline plan::RootfsPlan sample_rootfs() {
    plan::RootfsPlan rootfs;
    rootfs.path = "/bundle/rootfs";
    rootfs.readonly = true;
    rootfs.propagation = MS_SLAVE | MS_REC;
    rootfs.sources_given = true;
    rootfs.pivot = false;
    plan::MountStep fresh;
    fresh.name = "mounts[0]";
    fresh.destination = "/sys";
    fresh.what = plan::NewFilesystem{"sysfs", "sysfs", {"a=1", "b"}, MS_SYNCHRONOUS, true};
    fresh.attributes = {1, 2};
    fresh.recursive_attributes = {3, 4};
    fresh.propagation = MS_PRIVATE;
    fresh.no_symlinks = true;
    fresh.fallback = plan::BindMount{"/sys", true, SourceLink::follow, false};
    plan::MountStep bind;
    bind.name = "mounts[1]";
    bind.destination = "/data";
    bind.what = plan::BindMount{"/host/data", true, SourceLink::copy, true};
    bind.propagation = MS_SHARED;
    bind.propagation_recursive = true;
    plan::MountStep change;
    change.name = "mounts[2]";
    change.destination = "/data";
    change.what = plan::Remount{{"size=1k"}, MS_SYNCHRONOUS, MS_LAZYTIME};
    change.read_only_last = true;
    change.on_symlink = true;
    rootfs.mounts = {fresh, bind, change};
    rootfs.devices = {{plan::DeviceMethod::bind_from_host, "/dev/null", 020666, 1, 3, 4, 5, true},
                      {plan::DeviceMethod::make_node, "/dev/p", 010600, 0, 0, 0, 0, false}};
    rootfs.symlinks = {{"/dev/fd", "/proc/self/fd"}};
    rootfs.masked_paths = {"/proc/kcore", ""};
    rootfs.readonly_paths = {"/proc/sys"};
    return rootfs;
}

inline plan::ProcessPlan sample_process() {
    plan::ProcessPlan process;
    process.terminal = true;
    process.terminal_height = 24;
    process.terminal_width = 80;
    process.args = {"sh", "", std::string("\0\xff", 2)};
    process.env = {"A=1"};
    process.cwd = "/w";
    process.set_home = true;
    process.uid = 4294967294;
    process.gid = 7;
    process.groups_method = plan::GroupsMethod::set_if_allowed;
    process.groups = {1, 2, 3};
    process.umask = 077;
    process.no_new_privileges = true;
    process.capabilities = plan::CapabilityPlan{1, 2, 3, 4, 5};
    process.last_capability = 40;
    process.rlimits = {{7, 1024, UINT64_MAX}};
    process.oom_score_adj = -500;
    process.scheduler = plan::SchedulerPlan{6, 1, -20, 99, 3, 4, 5};
    process.io_priority = plan::IoPriorityPlan{2, 7};
    process.personality = 8;
    process.memory_policy = plan::MemoryPolicyPlan{0x8002, {1, UINT64_MAX}};
    process.apparmor_change = "stack box";
    process.selinux_label = "u:r:t:s0:c1,c2";
    process.ignored_signals = 0x1000;
    process.preserve_fds = 2;
    process.has_filter = true;
    process.filter_flags = 6;
    process.landlock = plan::LandlockPlan{0x3fff, 3, 2, 7, {{"/tmp", 0xffff}}, {{443, 2}}};
    process.own_core_cookie = true;
    process.parent_death_signal = 9;
    return process;
}

inline plan::InitPlan sample_plan() {
    plan::InitPlan plan;
    plan.id = "c1";
    plan.gate = plan::GateKind::channel;
    plan.hostname = "h";
    plan.domainname = "d";
    plan.new_session_keyring = false;
    plan.new_cgroup_namespace = true;
    plan.loopback_up = true;
    plan.own_pid_namespace = false;
    plan.sysctls = {{"net/ipv4/ip_forward", "1"}, {"k", ""}};
    plan.rootfs = sample_rootfs();
    plan.process = sample_process();
    plan.waits_for_hooks = true;
    plan.create_container_hooks = {{"/hooks/createContainer/0", "/h", {"h", ""}, {"A=1"}, 7}};
    plan.start_container_hooks = {{"/hooks/startContainer/0", "/i", {}, {}, std::nullopt}};
    return plan;
}

inline std::vector<launch::Message> sample_messages() {
    using namespace launch;
    return {NeedIdMap{},
            IdMapDone{},
            CopyReady{},
            InitStarted{-7},
            InitPlanMessage{sample_plan()},
            CgroupReady{},
            Filter{{1, 2, 3, 255}},
            Console{},
            ReadyMessage{{{"mounts[2]", "bound"}, {"", ""}}},
            Committed{},
            Start{},
            Accepted{},
            Failed{Stage::mounts, ErrorKind::denied, EACCES, "mount /x"},
            MountSources{},

            Diagnosis{"its interpreter"},
            ExecPlanMessage{
                {"c1", false, true, {0x20000, 0x10000000}, {1}, {2, 3}, 77, sample_process()}},
            HookStates{"{}", "[]", true, false},
            AtHooks{},
            HooksDone{},
            Listener{}};
}

} // namespace coracle::test
