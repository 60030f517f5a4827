#pragma once

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

/// Those by which who writes them gets at the caller's files and rights: an engine must not take
/// them from an image. Source: runtime-spec features.md#unsafe-annotations-in-configjson.
[[nodiscard]] inline std::vector<std::string_view> unsafe_annotations() {
    return {keep_groups_annotation, hook_output_annotation, hook_errors_annotation,
            pidfd_receiver_annotation, seccomp_receiver_annotation};
}

} // namespace coracle::spec
