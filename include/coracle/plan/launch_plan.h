#pragma once

#include "coracle/base/ids.h"
#include "coracle/base/names.h"
#include "coracle/plan/cgroup_plan.h"
#include "coracle/plan/rootfs_plan.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// The whole of what will be done for one container, decided before the first clone. Plain data,
/// no fds, immutable once made. `InitPlan` is the part that crosses into init as a message.
namespace coracle::plan {

/// Something the config asks and this host or privilege cannot give, known before or found by the
/// executor that had to take the other way.
struct Degradation {
    std::string what; ///< the object in the config, such as "linux.resources.devices"
    std::string why;
};

// ---- what parent and intermediate do ----------------------------------------------------------

struct IdMapping {
    ContainerId container{};
    HostId host{};
    std::uint32_t size = 0;
};

enum class IdMapMethod : std::uint8_t {
    none,          ///< no new user namespace
    write_map,     ///< written by the parent, which is privileged over the current user namespace
    write_own_ids, ///< one id each, written without privilege after setgroups is denied
    run_helpers,   ///< newuidmap(1) and newgidmap(1), which the host trusts with subuid(5)
};

struct IdMapPlan {
    IdMapMethod method = IdMapMethod::none;
    std::vector<IdMapping> uids;
    std::vector<IdMapping> gids;
    std::string newuidmap; ///< paths of the helpers
    std::string newgidmap;
    std::string uid_ranges; ///< what the caller may map, for the message when a helper refuses
    std::string gid_ranges;
};

enum class UserNamespace : std::uint8_t {
    current, ///< the caller's
    made,    ///< a new one, with the id map of the plan
    joined,  ///< an existing one, which has its map
};

struct NamespacePlan {
    NamespaceKind kind{};
    std::string path; ///< join this one; empty: make a new one
};

/// Added to a clock in a new time namespace. Source: time_namespaces(7).
struct TimeOffset {
    std::string clock; ///< "monotonic" or "boottime"
    std::int64_t seconds = 0;
    std::uint32_t nanoseconds = 0; ///< below 1000000000
};

enum class GateKind : std::uint8_t {
    socket,  ///< create: init waits on the listening socket in the state directory
    channel, ///< run: the parent sends Start over the launch channel
};

/// A program that is run at one point of the container's life.
struct Hook {
    std::string name; ///< for messages: "/hooks/prestart/0"
    std::string path;
    std::vector<std::string> args; ///< args[0] included
    std::vector<std::string> env;
    std::optional<std::uint32_t> timeout_seconds;
};

/// Where hooks write to; empty: nowhere, but an error tells the last line of stderr.
struct HookOutput {
    std::string output_path; ///< absolute
    std::string errors_path; ///< absolute
};

/// Hooks that the parent runs as the caller; init's are in InitPlan.
struct HooksPlan {
    std::vector<Hook> prestart;
    std::vector<Hook> create_runtime;
    std::vector<Hook> poststart;
    std::vector<Hook> poststop;
    HookOutput output;
};

enum class MountIdMap : std::uint8_t {
    none,
    container, ///< by the container's user namespace
    own,       ///< by the maps of the mount
};

/// A device of the caller's network namespace that becomes one of the container's.
struct NetDevicePlan {
    std::string host_name;
    std::string name; ///< in the container; "%d" stands for the first number that is free
};

/// A group of resctrl. Source: runtime-spec config-linux.md#intelrdt.
struct ResctrlPlan {
    std::string mount_point;
    std::string group;  ///< closID, or the container's id; empty: the root group
    bool owned = false; ///< made here, and removed with the container
    std::vector<std::string>
        own_schemas;                   ///< l3CacheSchema, memBwSchema: what a group there has too
    std::vector<std::string> schemata; ///< written, in their order
    std::string monitor_group;         ///< empty: none
};

/// What the parent opens for init: the root or the source of a bind.
struct MountSource {
    std::string name; ///< for messages
    std::string path;
    bool recursive = false;
    SourceLink link{};
    MountIdMap id_map{};
    bool id_map_recursive = false; ///< "ridmap"
    std::vector<IdMapping> uids;   ///< id on the filesystem, id it is shown as in the parent
    std::vector<IdMapping> gids;
};

// ---- what init does -----------------------------------------------------------------------------

/// Capability sets as bit masks, bit N = capability N.
struct CapabilityPlan {
    std::uint64_t bounding = 0;
    std::uint64_t effective = 0;
    std::uint64_t inheritable = 0;
    std::uint64_t permitted = 0;
    std::uint64_t ambient = 0;
};

struct RlimitPlan {
    int resource = 0;
    std::uint64_t soft = 0;
    std::uint64_t hard = 0;
};

/// What sched_setattr(2) takes.
struct SchedulerPlan {
    std::uint32_t policy = 0;
    std::uint64_t flags = 0;
    std::int32_t nice = 0;
    std::uint32_t priority = 0;
    std::uint64_t runtime = 0; ///< nanoseconds, as the two below
    std::uint64_t deadline = 0;
    std::uint64_t period = 0;
};

struct IoPriorityPlan {
    std::uint32_t io_class = 0; ///< IOPRIO_CLASS_*
    std::uint32_t level = 0;
};

struct MemoryPolicyPlan {
    std::uint32_t mode = 0;           ///< MPOL_* with its MPOL_F_*
    std::vector<std::uint64_t> nodes; ///< bit N % 64 of word N / 64: node N
};

/// What may be done with a file, or with all that is beneath a directory.
struct LandlockPath {
    std::string path;         ///< absolute; without a symbolic link in it
    std::uint64_t rights = 0; ///< LANDLOCK_ACCESS_FS_*
};
struct LandlockPort {
    std::uint16_t port = 0;
    std::uint64_t rights = 0; ///< LANDLOCK_ACCESS_NET_*
};

/// What landlock(7) denies the payload unless a rule allows it: never more than the kernel knows.
struct LandlockPlan {
    std::uint64_t handled_fs = 0;
    std::uint64_t handled_net = 0;
    std::uint64_t scoped = 0;      ///< LANDLOCK_SCOPE_*
    std::uint64_t file_rights = 0; ///< those that a file may have, unlike a directory
    std::vector<LandlockPath> paths;
    std::vector<LandlockPort> ports;
};

enum class GroupsMethod : std::uint8_t {
    keep,           ///< setgroups is denied, or the groups of the caller are wanted
    set,            ///< exactly the list of the plan
    set_if_allowed, ///< the same in a joined user namespace, which may deny setgroups
};

struct ProcessPlan {
    bool terminal = false;
    std::uint32_t terminal_height = 0;
    std::uint32_t terminal_width = 0;
    std::vector<std::string> args;
    std::vector<std::string> env;
    std::string cwd;
    bool set_home = false; ///< HOME is not in env: take it from the container's /etc/passwd
    std::uint32_t uid = 0; ///< container ids
    std::uint32_t gid = 0;
    GroupsMethod groups_method{};
    std::vector<std::uint32_t> groups;
    std::uint32_t umask = 022;
    bool no_new_privileges = false;
    std::optional<CapabilityPlan> capabilities; ///< nothing: none at all
    int last_capability = 0;                    ///< highest capability of the running kernel
    std::vector<RlimitPlan> rlimits;
    std::optional<std::int32_t> oom_score_adj;
    std::optional<SchedulerPlan> scheduler;
    std::optional<IoPriorityPlan> io_priority;
    std::optional<std::uint32_t> personality; ///< PER_*
    std::optional<MemoryPolicyPlan> memory_policy;
    /// What is written to attr/apparmor/exec: "exec NAME", or "stack NAME" below a confinement
    /// that has to stay; empty: nothing.
    std::string apparmor_change;
    std::string selinux_label;         ///< of the program; empty: as the policy decides
    std::uint64_t ignored_signals = 0; ///< bit N - 1 = signal N: set back to the default
    std::uint32_t preserve_fds = 0;    ///< fds 3 to 3 + N - 1 are passed on, LISTEN_FDS included
    bool has_filter = false;           ///< a seccomp filter follows as a message of its own
    std::uint32_t filter_flags = 0;    ///< SECCOMP_FILTER_FLAG_*
    std::optional<LandlockPlan> landlock;
    bool own_core_cookie = false; ///< no other process runs beside it on a core: PR_SCHED_CORE
    int parent_death_signal = 0;  ///< sent to it when the creator ends; 0: none
};

struct InitPlan {
    std::string id;
    GateKind gate{};
    std::string hostname;   ///< empty: not set
    std::string domainname; ///< empty: not set
    bool new_session_keyring = true;
    bool new_cgroup_namespace = false; ///< unshared by init, once it is in its cgroup
    bool loopback_up = false;          ///< a new network namespace
    /// The root file system is not touched before the parent has done what may be refused: limits,
    /// device rules, network devices, resctrl, sources that it opens in the mounts as they are.
    bool awaits_parent = false;
    /// Init of its own pid namespace; what is reachable by the payload differs otherwise.
    bool own_pid_namespace = true;
    std::vector<std::pair<std::string, std::string>> sysctls; ///< "net/ipv4/..." and value
    RootfsPlan rootfs;
    ProcessPlan process;
    bool waits_for_hooks = false; ///< of the parent, before pivot
    std::vector<Hook> create_container_hooks;
    std::vector<Hook> start_container_hooks;
};

// ---- seccomp, compiled by the parent
// --------------------------------------------------------------

struct SeccompArgument {
    std::uint32_t index = 0;
    std::string op; ///< SCMP_CMP_*
    std::uint64_t value = 0;
    std::uint64_t value_two = 0;
};

struct SeccompRule {
    std::vector<std::string> names; ///< of system calls
    std::uint32_t action = 0;       ///< SECCOMP_RET_* with its data part
    std::vector<SeccompArgument> args;
};

/// Who answers for SCMP_ACT_NOTIFY.
struct SeccompListener {
    std::string path; ///< of a listening unix socket, absolute
    std::string metadata;
};

struct SeccompPlan {
    std::uint32_t default_action = 0;       ///< SECCOMP_RET_* with its data part
    std::vector<std::string> architectures; ///< SCMP_ARCH_*; empty: the native one
    std::uint32_t filter_flags = 0;         ///< SECCOMP_FILTER_FLAG_*
    std::vector<SeccompRule> rules;
    bool fail_unknown_calls = false; ///< a name that libseccomp does not know is an error
    std::optional<SeccompListener> listener;
};

// ---- the whole
// --------------------------------------------------------------------------------------

struct LaunchPlan {
    std::string id;
    std::string bundle;
    UserNamespace user_namespace{};
    IdMapPlan id_map;
    std::vector<NamespacePlan> namespaces; ///< in the order of NamespaceKind
    std::vector<TimeOffset> time_offsets;
    std::vector<NetDevicePlan> net_devices;
    std::optional<ResctrlPlan> resctrl;
    CgroupPlan cgroup;
    /// Opened by the parent, since the container's root may not reach them or only the parent may
    /// map their ids; empty: by init.
    std::vector<MountSource> mount_sources;
    std::optional<SeccompPlan> seccomp;
    HooksPlan hooks;
    InitPlan init;
    std::string pidfd_receiver; ///< a unix socket that gets init's pidfd; empty: none
    std::vector<Degradation> degradations;
    std::vector<NamespaceKind> sysctl_namespaces; ///< those that init.sysctls belong to
    bool strict = false; ///< a degradation that an executor finds is an error too
};

// ---- exec ---------------------------------------------------------------------------------------

/// The part that crosses into the joiner and the executor.
struct ExecPlan {
    std::string id;
    bool join_session_keyring = true; ///< the container's
    bool joins_user_namespace = false;
    /// CLONE_NEW* of each fd that comes beside the plan, in the order of joining: one pidfd with
    /// several, or one namespace each.
    std::vector<std::uint64_t> joins;
    /// CPUs before and after the process is in the container's cgroup, as base/number_list.h has
    /// them; empty: not changed.
    std::vector<std::uint64_t> initial_cpus;
    std::vector<std::uint64_t> final_cpus;
    /// The process whose core scheduling cookie is taken, as the caller sees it; 0: none.
    std::int32_t core_cookie_of = 0;
    ProcessPlan process;
};

/// Which process of `exec` is put into the container's cgroup.
enum class ExecPlaced : std::uint8_t {
    executor,
    /// The joiner, whose child the executor is: systemd of the user moves only processes of the
    /// user's uid, and the executor has that of another, the container's root.
    joiner,
};

/// The whole of what will be done to run one more process in a container.
struct ExecLaunchPlan {
    ExecPlan exec; ///< without `joins`, which depends on the fds that the parent gets
    std::vector<NamespaceKind> namespaces; ///< those of the container that are not the caller's
    ExecPlaced placed{};
    std::optional<SeccompPlan> seccomp;
    std::vector<Degradation> degradations;
    bool strict = false; ///< a degradation that the executor finds is an error too
};

} // namespace coracle::plan
