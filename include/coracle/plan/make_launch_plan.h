#pragma once

#include "coracle/host/facts.h"
#include "coracle/plan/launch_plan.h"
#include "coracle/spec/config.h"
#include "coracle/spec/reports.h"

#include <map>
#include <string>
#include <vector>

namespace coracle::plan {

/// Who shall make the cgroup. `automatic`: as the form of cgroupsPath asks, else whoever can.
enum class CgroupManager { automatic, cgroupfs, systemd, disabled };

enum class Explain {
    nothing,
    refused_calls, ///< the seccomp filter asks a listener: see make_explained
};

/// What the verb and its options add to the config.
struct LaunchOptions {
    std::string id;
    std::string bundle; ///< absolute path
    GateKind gate{};
    bool pivot = true;
    bool new_session_keyring = true;
    std::uint32_t preserve_fds = 0;
    std::uint32_t listen_fds = 0; ///< LISTEN_FDS of the caller
    std::string listen_fd_names;  ///< LISTEN_FDNAMES of the caller
    CgroupManager cgroup_manager = CgroupManager::automatic;
    bool lenient_cgroup = false; ///< --rootless=true: what is refused there is a degradation
    bool strict = false;         ///< a degradation is an error
    bool attended = false;       ///< the caller stays until the container has ended
    Explain explain{};
};

/// Whether the plan needs Facts::id_ranges: an unprivileged caller wants other ids in a new user
/// namespace than the own ones. Pure.
[[nodiscard]] bool needs_id_ranges(const spec::Config& config, const host::Facts& facts);

/// Whether the plan needs Facts::security_modules: the config has a label. Pure.
[[nodiscard]] bool needs_security_modules(const spec::Config& config);

/// Whether the plan needs Facts::landlock: the config asks for it. Pure.
[[nodiscard]] bool needs_landlock(const spec::Config& config);

/// Every decision for one container. Pure: the same arguments give the same plan.
/// Runs in: parent.
/// Throws: invalid_config, unsupported, denied; the text names the JSON pointer.
[[nodiscard]] LaunchPlan make_launch_plan(const spec::Config& config, const host::Facts& facts,
                                          const LaunchOptions& options);

/// Where a payload finds the socket for its notifications: sd_notify(3).
inline constexpr const char* notify_socket_path = "/run/notify/notify.sock";
/// Binds `socket` into the container at that path, and names it in the environment. False, with
/// nothing done, if the configuration has another already, or no process. Pure.
[[nodiscard]] bool add_notify_socket(spec::Config& config, const std::string& socket);

/// What `exec` and its options add.
struct ExecOptions {
    std::string id;
    bool join_session_keyring = true;
    std::uint32_t preserve_fds = 0;
    bool strict = false;
    std::int32_t init = 0; ///< pid of the container's, as the caller sees it
};

/// Every decision for one more process in a container that was made from `config`, whose /process
/// is the one to run. Pure. Runs in: parent of `exec`. Throws: as make_launch_plan.
[[nodiscard]] ExecLaunchPlan make_exec_plan(const spec::Config& config, const host::Facts& facts,
                                            const host::ContainerFacts& container,
                                            const ExecOptions& options);

/// What `update` writes into the cgroup of a container. Pure. Throws: unsupported.
[[nodiscard]] CgroupUpdate make_cgroup_update(const spec::Resources& resources,
                                              CgroupMethod method);

/// The hooks of one kind ("poststop"). Pure.
[[nodiscard]] std::vector<Hook> make_hooks(const std::vector<spec::Hook>& hooks, const char* kind);

/// What the annotations of a container say about the output of its hooks. Pure.
/// Throws: invalid_config, if a path is not absolute.
[[nodiscard]] HookOutput make_hook_output(const std::map<std::string, std::string>& annotations);

/// The plan as stable text for a person, one decision a line: what `--dry-run` prints.
[[nodiscard]] std::string describe(const LaunchPlan& plan);

/// The lines of that text as steps; each degradation is with the step that it belongs to, or is one
/// of its own. None "will fail": what does so gives no plan.
[[nodiscard]] std::vector<spec::PlanStep> make_steps(const LaunchPlan& plan);

} // namespace coracle::plan
