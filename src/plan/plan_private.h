#pragma once

#include "coracle/plan/make_launch_plan.h"

#include <string>
#include <vector>

/// The parts of make_launch_plan, one per subject. All pure.
namespace coracle::plan {

/// What every part reads.
struct Inputs {
    const spec::Config& config;
    const spec::Linux& linux_;
    const host::Facts& facts;
    const LaunchOptions& options;
};

[[nodiscard]] std::vector<NamespacePlan> make_namespaces(const Inputs& inputs);
[[nodiscard]] bool has_new(const std::vector<NamespacePlan>& namespaces, NamespaceKind kind);

[[nodiscard]] std::vector<TimeOffset> make_time_offsets(const Inputs& inputs,
                                                        const LaunchPlan& plan);

[[nodiscard]] std::vector<NetDevicePlan> make_net_devices(const Inputs& inputs);
[[nodiscard]] std::optional<ResctrlPlan> make_resctrl(const Inputs& inputs);
/// After id map and namespaces. Throws: unsupported where a limit cannot be had.
void plan_cgroup(const Inputs& inputs, LaunchPlan& plan);
[[nodiscard]] UserNamespace choose_user_namespace(const std::vector<NamespacePlan>& namespaces);
[[nodiscard]] IdMapPlan make_id_map(const Inputs& inputs, LaunchPlan& plan);
[[nodiscard]] std::vector<IdMapping> make_id_mappings(const std::vector<spec::IdMapping>& mappings);
/// Whether the container's id is in the map. Without a map of ours every id may be.
[[nodiscard]] bool is_mapped(const std::vector<IdMapping>& map, std::uint32_t container_id);

[[nodiscard]] RootfsPlan make_rootfs(const Inputs& inputs, LaunchPlan& plan);
void add_devices(const Inputs& inputs, LaunchPlan& plan, RootfsPlan& rootfs);
/// The step of /mounts/`index`; `rootfs` has those before it and the root's propagation.
[[nodiscard]] MountStep make_mount_step(const Inputs& inputs, LaunchPlan& plan,
                                        const RootfsPlan& rootfs, std::size_t index);

/// What the parent has to open for `rootfs`; nothing where init can do it.
[[nodiscard]] std::vector<MountSource>
make_mount_sources(const Inputs& inputs, const LaunchPlan& plan, const RootfsPlan& rootfs);

[[nodiscard]] ProcessPlan make_process(const Inputs& inputs, LaunchPlan& plan);
/// Scheduling, memory policy, execution domain and labels of `process`.
void plan_attributes(const Inputs& inputs, const spec::Process& config, LaunchPlan& plan,
                     ProcessPlan& process);
/// Landlock and core scheduling of `process`, and what of the walls it may take down.
void plan_walls(const Inputs& inputs, LaunchPlan& plan, ProcessPlan& process);
/// The container's user namespace lets no other be made in it, if that is asked for.
/// Throws: invalid_config.
void deny_nested_users(const Inputs& inputs, const LaunchPlan& plan, InitPlan& init);
/// After the capabilities. Throws: invalid_config; unsupported.
void plan_parent_death(const Inputs& inputs, LaunchPlan& plan, ProcessPlan& process);
/// Throws unsupported where there is no SELinux for the label of the member at `pointer`.
void require_selinux(const Inputs& inputs, const char* pointer, const std::string& label);
/// The hooks of every kind, those of the parent in `plan`, those of init in `init`.
void plan_hooks(const Inputs& inputs, LaunchPlan& plan, InitPlan& init);
/// The filter gets a listener.
void add_listener_flag(SeccompPlan& plan);

[[nodiscard]] CapabilityPlan make_capabilities(const Inputs& inputs, const spec::Process& process,
                                               LaunchPlan& plan);
[[nodiscard]] std::vector<std::pair<std::string, std::string>> make_sysctls(const Inputs& inputs,
                                                                            LaunchPlan& plan);

/// Who root of the container is for the caller.
[[nodiscard]] std::uint32_t host_root_of(const LaunchPlan& plan, const host::Facts& facts);

} // namespace coracle::plan
