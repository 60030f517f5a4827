#pragma once

#include "coracle/spec/config.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// The JSON documents that coracle itself writes and reads back.
namespace coracle::spec {

/// Who gets the listener of a seccomp filter, at the start.
struct ListenerRecord {
    std::string path; ///< absolute
    std::string metadata;
};

/// The cgroup of a container.
struct CgroupRecord {
    std::string path;     ///< below the mount point of cgroup2: "/a/b"; empty: a scope on its way
    std::uint64_t id = 0; ///< its inode; 0: it is not known yet whether it is the container's
    std::string sub;      ///< of the payload, below it: "" or "/a"
    std::string scope;    ///< the unit of systemd; empty: none
    bool system = false;  ///< a unit of the system's manager, not the user's
    std::string bus_path; ///< absolute, of that manager's bus; empty without a unit
};

/// record.json: what is durable about a container. Status is computed from it, never stored.
struct Record {
    std::string oci_version;
    std::string id;
    std::string bundle;  ///< absolute path
    std::string rootfs;  ///< absolute path
    std::string created; ///< RFC 3339, UTC, nanoseconds
    std::uint32_t owner = 0;
    std::string boot_id;
    std::string pid_file; ///< absolute, empty if none: its temporary is cleaned up by delete
    std::int32_t creator_pid = 0; ///< who makes it; meaningful until `pid` is set
    std::uint64_t creator_start_time = 0;
    std::int32_t pid = 0;         ///< init, in the creator's pid namespace; 0: intent only
    std::uint64_t start_time = 0; ///< of init, clock ticks since boot: /proc/PID/stat field 22
    std::optional<CgroupRecord> cgroup;    ///< nothing: the container has none of its own
    std::string no_cgroup;                 ///< why there is none
    bool session_keyring = false;          ///< the container has one of its own, which `exec` joins
    std::vector<std::string> resctrl;      ///< groups to remove, below the mount point of resctrl
    std::vector<std::string> degradations; ///< one sentence each
    std::map<std::string, std::string> annotations;
    Hooks hooks; ///< those that are still to run after create: startContainer, poststart, poststop
    std::optional<ListenerRecord> seccomp_listener;
};

/// The text of record.json: one line, newline at the end.
[[nodiscard]] std::string write_record(const Record& record);
/// Throws: invalid_config if `text` is not a whole record of a version that this build knows, or
/// breaks a rule (id grammar, absolute paths, positive pid).
[[nodiscard]] Record parse_record(std::string_view text);

/// What identifies init, out of a record that parse_record refuses: damaged, or another version's.
/// Only pid, start time and boot id are set; nothing if one of them is not there. Never throws.
[[nodiscard]] std::optional<Record> salvage_record(std::string_view text);

/// One container as `state` and `list` show it.
struct ContainerView {
    std::string oci_version;
    std::string id;
    std::int32_t pid = 0; ///< 0 when stopped
    std::string status;   ///< creating, created, running, paused or stopped
    std::string bundle;
    std::string rootfs;
    std::string created;
    std::map<std::string, std::string> annotations;
    std::string owner;  ///< user name, or "#uid"
    std::string cgroup; ///< "/a/b" below the mount point of cgroup2, or "none: " and why
    /// How often the kernel has killed a process for want of memory, and refused a fork: of a
    /// container that has stopped, as long as its cgroup is there.
    std::optional<std::uint64_t> oom_kills;
    std::optional<std::uint64_t> refused_forks;
    std::vector<std::string> degradations;
};

/// `state`: indented by two blanks, newline at the end. `degradations` is a key of ours, left out
/// when empty. Source: runtime-spec runtime.md#state.
[[nodiscard]] std::string write_state(const ContainerView& view);
/// The container process state of `pid` for a seccomp agent, with the name of one fd, "seccompFd".
/// No newline. Source: runtime-spec config-linux.md#containerprocessstate.
[[nodiscard]] std::string write_process_state(const ContainerView& view, std::int32_t pid,
                                              const std::string& metadata);
/// `list --format json`: one compact array, newline at the end; "[]" for none.
[[nodiscard]] std::string write_list(const std::vector<ContainerView>& views);

/// Of a sandbox that is about to start: its first process as the caller's pid namespace numbers it,
/// and its own namespaces ("net") with their inodes. One line. Source: bwrap(1), --info-fd.
[[nodiscard]] std::string
write_sandbox_info(std::int32_t pid, const std::map<std::string, std::uint64_t>& namespaces);
/// Of one that has ended. One line. Source: bwrap(1), --json-status-fd.
[[nodiscard]] std::string write_sandbox_exit(int exit_code);

/// What a build can do, for `features`.
struct BuildFeatures {
    std::string version;
    std::string commit;
    std::string libseccomp_version;
    std::vector<std::string> capabilities; ///< names
};

/// `features`: runtime-spec features.md, describing the build and not the host.
[[nodiscard]] std::string write_features(const BuildFeatures& build);

/// The configuration that `spec` writes. With `rootless`, a user namespace that maps container ids
/// 0 to the given host ids, one id each; without it, one for real root.
struct TemplateOptions {
    bool rootless = false;
    std::uint32_t host_uid = 0;
    std::uint32_t host_gid = 0;
};
[[nodiscard]] std::string write_template(const TemplateOptions& options);

/// Paths of /proc and /sys that tell about the host or reach it: what is masked, and what is made
/// read-only, unless somebody says otherwise. Source: moby oci/defaults.go.
[[nodiscard]] std::vector<std::string> default_masked_paths();
[[nodiscard]] std::vector<std::string> default_readonly_paths();

} // namespace coracle::spec
