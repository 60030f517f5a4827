#pragma once

#include <array>
#include <string_view>
#include <vector>

/// The annotations that change what coracle does. Every other one is only kept and shown.
namespace coracle::spec {

inline constexpr std::string_view keep_groups_annotation = "run.oci.keep_original_groups";
inline constexpr std::string_view hook_output_annotation = "run.oci.hooks.stdout";
inline constexpr std::string_view hook_errors_annotation = "run.oci.hooks.stderr";
inline constexpr std::string_view pidfd_receiver_annotation = "run.oci.pidfd_receiver";
inline constexpr std::string_view seccomp_receiver_annotation = "run.oci.seccomp.receiver";
inline constexpr std::string_view strict_syscalls_annotation =
    "run.oci.seccomp_fail_unknown_syscall";
inline constexpr std::string_view cgroup_subgroup_annotation = "run.oci.systemd.subgroup";
inline constexpr std::string_view delegate_cgroup_annotation = "run.oci.delegate-cgroup";

/// What follows it is a property of the container's scope in systemd.
inline constexpr std::string_view unit_property_annotation = "org.systemd.property.";

/// The second walls of the payload, and its end.
inline constexpr std::string_view landlock_annotation = "org.coracle.landlock"; ///< spec/landlock.h
inline constexpr std::string_view nested_users_annotation =
    "org.coracle.nested-user-namespaces"; ///< "deny"
inline constexpr std::string_view core_scheduling_annotation =
    "org.coracle.core-scheduling"; ///< "true" or "false"
inline constexpr std::string_view parent_death_annotation =
    "org.coracle.parent-death-signal"; ///< a signal's name or number

/// All of them, with a dot at the end those that begin so: an engine must not take them from an
/// image unseen. Source: runtime-spec features.md#unsafe-annotations-in-configjson.
[[nodiscard]] inline std::vector<std::string_view> unsafe_annotations() {
    return {keep_groups_annotation,     hook_output_annotation,      hook_errors_annotation,
            pidfd_receiver_annotation,  seccomp_receiver_annotation, strict_syscalls_annotation,
            cgroup_subgroup_annotation, delegate_cgroup_annotation,  unit_property_annotation,
            landlock_annotation,        nested_users_annotation,     core_scheduling_annotation,
            parent_death_annotation};
}

/// An annotation of crun(1) that asks for what coracle does not do.
struct ForeignAnnotation {
    std::string_view name;
    bool weakens; ///< without it the container is less confined than it was to be
    const char* why;
};
inline constexpr std::array<ForeignAnnotation, 5> foreign_annotations{{
    {"run.oci.handler", true, "coracle has no handlers: the program would run as any other"},
    {"run.oci.seccomp.plugins", true, "no plugins are loaded: give listenerPath in /linux/seccomp"},
    {"run.oci.seccomp_bpf_data", true,
     "a filter that is compiled already is not taken: describe it in /linux/seccomp"},
    {"run.oci.mount_context_type", false, "mounts get their label by \"context\""},
    {"run.oci.systemd.force_cgroup_v1", false, "coracle knows cgroup v2 only"},
}};

} // namespace coracle::spec
