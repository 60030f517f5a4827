#pragma once

#include "coracle/sandbox/options.h"
#include "coracle/spec/documents.h"
#include "coracle/spec/reports.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

/// One function a verb. Each runs in the parent, with nothing else going on in the process.
namespace coracle::container {

/// What every verb needs.
struct Context {
    std::string root; ///< --root; empty: the default
    bool strict = false;
    std::string cgroup_manager;  ///< "cgroupfs", "systemd" or "disabled"; empty: as it fits
    bool lenient_cgroup = false; ///< what a cgroup refuses is a degradation: --rootless=true
};

struct CreateOptions {
    std::string id;
    std::string bundle = ".";
    std::string config = "config.json"; ///< relative to the bundle
    std::string pid_file;               ///< empty: none
    std::string console_socket;         ///< empty: none
    std::string pidfd_socket;           ///< empty: none
    std::uint32_t preserve_fds = 0;
    bool no_pivot = false;
    bool no_new_keyring = false;
};

struct RunOptions {
    CreateOptions create;
    bool detach = false;
    bool keep = false;
    bool explain = false; ///< at the end, what the seccomp filter has refused is said on stderr
};

/// The container exists and waits at its start gate; the pid file is complete.
/// Throws, with nothing left behind, if any of it fails.
void create(const Context& context, const CreateOptions& options);

/// What create or run would do, as text; nothing is changed. `detached` as for create.
[[nodiscard]] std::string describe_create(const Context& context, const CreateOptions& options);
[[nodiscard]] std::string describe_run(const Context& context, const RunOptions& options);

/// Every step of run and how it would go here, with or without an id; nothing is changed. What
/// makes the configuration impossible here is a step that will fail. Throws: usage; system.
[[nodiscard]] spec::PlanReport plan_run(const Context& context, const CreateOptions& options);

/// The payload of a created container has been executed. Throws: not_found, wrong_state.
void start(const Context& context, const std::string& id);

/// create and start; in the foreground waits for the end, forwards signals and deletes. Returns the
/// exit code: of the payload, 128 + its signal, or 0 when detached.
[[nodiscard]] int run(const Context& context, const RunOptions& options);

struct SandboxOptions {
    sandbox::Options sandbox;
    std::string id; ///< empty: one is made up
    bool keep = false;
    bool explain = false;    ///< as RunOptions::explain
    int info_fd = -1;        ///< open for writing; -1: none
    int json_status_fd = -1; ///< the same
};
/// Runs a program in a container that needs no bundle, in the foreground, and deletes it. It ends
/// when this process does. Returns the exit code: of the payload, 128 + its signal, or
/// timeout_exit_code.
[[nodiscard]] int run_sandbox(const Context& context, const SandboxOptions& options);
inline constexpr int timeout_exit_code = 124; ///< as timeout(1)
/// Each step of run_sandbox and how it would go on this host, as plan_run. Throws: usage.
[[nodiscard]] spec::PlanReport plan_sandbox(const Context& context, const SandboxOptions& options);
/// What run_sandbox would do, as text; nothing is changed.
[[nodiscard]] std::string describe_sandbox(const Context& context, const SandboxOptions& options);
/// The configuration of a sandbox whose bundle would be the directory `bundle`.
[[nodiscard]] std::string make_sandbox_config(const sandbox::Options& options,
                                              const std::string& bundle);
/// Makes the directory `bundle` (absolute) and in it a bundle that `run` takes.
/// Throws: wrong_state if it is there already.
void write_sandbox_bundle(const sandbox::Options& options, const std::string& bundle);

struct ExecOptions {
    std::string id;
    std::string process_file;      ///< a process document; empty: the container's process, changed
    std::vector<std::string> args; ///< of the program, which comes first
    std::string cwd;               ///< empty: the container's
    std::vector<std::string> env;  ///< NAME=VALUE, in place of the container's entry of that name
    std::optional<std::uint32_t> uid;
    std::optional<std::uint32_t> gid;
    std::vector<std::uint32_t> additional_gids;
    std::vector<std::string> capabilities; ///< added to the container's
    bool no_new_privileges = false;
    std::string selinux_label;    ///< empty: the container's
    std::string apparmor_profile; ///< empty: the container's
    std::optional<bool> terminal; ///< nothing: what the process document says, else none
    bool detach = false;
    std::string pid_file;       ///< empty: none
    std::string console_socket; ///< empty: none
    std::string pidfd_socket;   ///< empty: none
    std::uint32_t preserve_fds = 0;
    std::string cgroup; ///< below the container's: "/" is that itself; empty: that of the payload
    bool ignore_paused = false;
};
/// Runs one more process in a created or running container. In the foreground waits for its end
/// and forwards signals; returns the exit code: of the program, 128 + its signal, or 0 when
/// detached. The pid file is there only if the program has been executed.
/// Throws, with nothing left behind: not_found, wrong_state, system.
[[nodiscard]] int exec(const Context& context, const ExecOptions& options);

/// Throws: not_found.
[[nodiscard]] spec::ContainerView state(const Context& context, const std::string& id);
/// What the living container `id` has, by /proc and its cgroup, against its configuration; to root,
/// any user's container. Changes nothing. Throws: not_found; wrong_state if it does not live, or
/// ends meanwhile; denied.
[[nodiscard]] spec::InspectReport inspect(const Context& context, const std::string& id);
/// Every container of the state root; one whose record cannot be read is left out with a warning.
[[nodiscard]] std::vector<spec::ContainerView> list(const Context& context);
/// The id of every container of the state root, also where its record cannot be read.
[[nodiscard]] std::vector<std::string> list_ids(const Context& context);

/// Blocks until the container has stopped. Returns its exit code, 128 + N for signal N, if the
/// kernel tells: it does for the end of a process that this one saw live (Linux >= 6.15), or whose
/// parent is this one. Throws: not_found.
[[nodiscard]] std::optional<int> wait(const Context& context, const std::string& id);

enum class KillScope {
    init,
    all, ///< a container that is not running is no error
};
/// Throws: not_found; wrong_state "container not running".
void kill(const Context& context, const std::string& id, int signal, KillScope scope);

enum class Force { no, yes };
/// The container is gone: its process, its state directory. Without force only a stopped or
/// created one. With force an unknown id is no error.
void remove(const Context& context, const std::string& id, Force force);

/// Every process of the container is stopped, or runs again. Throws: not_found; wrong_state if it
/// does not live, or is not paused; unsupported if it has no cgroup.
void pause(const Context& context, const std::string& id);
void resume(const Context& context, const std::string& id);

/// The container's processes, as the caller's pid namespace numbers them. Throws: as pause.
[[nodiscard]] std::vector<int> processes(const Context& context, const std::string& id);
/// The same as ps(1) shows them, called with `arguments`; "-ef" if there are none. Throws: usage if
/// its output has no column PID.
[[nodiscard]] std::string process_table(const Context& context, const std::string& id,
                                        const std::vector<std::string>& arguments);

/// A linux.resources object out of the file `path`, "-" for standard input. Throws: invalid_config.
[[nodiscard]] spec::Resources load_resources(const std::string& path);

/// The limits that `resources` has are the container's from here on; the others stay, device rules
/// always. Throws: as pause; invalid_config.
void update(const Context& context, const std::string& id, spec::Resources resources);

struct EventsOptions {
    bool once = false;        ///< the statistics, once
    bool openmetrics = false; ///< with `once`: in that format, else as JSON
    std::chrono::milliseconds interval{5000};
};
/// Takes whole lines, each with its newline.
using TakeLine = std::function<void(const std::string& line)>;
/// Statistics each interval, and an event for each process that the kernel kills for want of
/// memory, until the container stops. Throws: as pause.
void events(const Context& context, const std::string& id, const EventsOptions& options,
            const TakeLine& take);

/// What this host gives the caller's containers, tried in throw-away children; nothing is changed
/// and nothing is left. With a bundle only what that needs, and what its plan foresees.
/// Throws: system.
[[nodiscard]] spec::DoctorReport doctor(const Context& context, const std::string& bundle);

/// The build's features document. Works without any state root.
[[nodiscard]] std::string features();

/// Writes a template configuration into `directory` as `file`. Throws: wrong_state if it exists.
struct SpecOptions {
    std::string directory = ".";
    std::string file = "config.json";
    bool rootless = false;
};
void write_spec(const SpecOptions& options);

/// Opens the null device on closed standard streams and refuses to run set-uid. First of all.
void prepare_process();

} // namespace coracle::container
