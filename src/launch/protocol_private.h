#pragma once

#include "coracle/base/error.h"
#include "coracle/launch/stage.h"
#include "coracle/plan/launch_plan.h"

#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

/// The one wire format between parent, intermediate, init and a client of the start gate.
///
///     parent P                       intermediate M                    init I
///     clone M ─────────────────────► join what the outer user namespace owns
///                                    unshare(CLONE_NEWUSER)
///          ◄─ NeedIdMap ──────────── (sent without a new user namespace too: P's cue)
///     write maps
///          ── IdMapDone ───────────► become the container's root; join and unshare the rest
///     fill the private copy          clone I (CLONE_PARENT)
///          ── CopyReady ─────────────────────────────────────────────► execute the private copy
///          ── InitPlan + fds ────────────────────────────────────────► (read after I's execve)
///          ◄─ InitStarted{pid} ───── exit
///     reap M, pidfd of I             session, keyring, hostname, loopback
///                                                                      mounts
///          ── CgroupReady ───────────────────────────────────────────► cgroup namespace, mounts
///          ── HookStates + fds ──────────────────────────────────────► (only if init runs hooks)
///          ── MountSources + fds ──────────────────────────────────────► (only where P opens them)
///          ── Filter ────────────────────────────────────────────────► (only with seccomp)
///          ◄─────────────────────────────────────────────── AtHooks (only with hooks of P)
///     prestart, createRuntime hooks
///          ── HooksDone ─────────────────────────────────────────────► createContainer hooks
///          ◄──────────────────────────────────────────── Console + fd (only with a terminal)
///          ◄────────────────────────────────────────── Ready{degraded} ids, capabilities, cwd
///     save the record, pid file
///          ── Committed ─────────────────────────────────────────────► outlives P from here on
///          ── Start ─────────────────────────────────────────────────► run: over this channel
///     start: connect to the gate, Start ─────────────────────────────► create: over the gate
///                                                                      startContainer hooks
///          ◄───────────────────────────────────────────────── Accepted
///          ◄──────────────────────────────────────────── Listener + fd (only with SCMP_ACT_NOTIFY)
///          ◄────────────────────────────── EOF: execve is done. Or Failed, Diagnosis
///
/// exec, where J, the joiner, and E, the executor, run the private copy:
///
///     parent P                       joiner J                         executor E
///     start J on the private copy
///          ── ExecPlan + fds ──────► join the container's namespaces
///          ◄─ InitStarted{pid} ───── start E (CLONE_PARENT), exit
///          ── CgroupReady ───────────────────────────────────────────► (nothing of E before it)
///          ── Filter ────────────────────────────────────────────────► (only with seccomp)
///          ◄──────────────────────────────────────────── Console + fd (only with a terminal)
///          ◄────────────────────────────────────────── Ready{degraded}
///          ── Start ─────────────────────────────────────────────────►
///          ◄───────────────────────────────────────────────── Accepted, EOF as above
///
/// Failed may come instead of any message of M and I. EOF before Ready is never success. Behind the
/// Failed of an execve, Diagnosis may be missing: it is sent under the payload's filter.
namespace coracle::launch {

struct NeedIdMap {};
struct IdMapDone {};
struct CopyReady {};
struct InitStarted {
    std::int32_t pid = 0;
};
/// Beside it, for GateKind::socket: the listening socket of the gate, and that of the payload's
/// notifications if there is one.
struct InitPlanMessage {
    plan::InitPlan plan;
};
struct CgroupReady {};
struct Filter {
    std::vector<std::uint8_t> program; ///< struct sock_filter[]
};
/// Beside it: the manager end of the terminal.
struct Console {};
struct ReadyMessage {
    std::vector<plan::Degradation> degraded;
};
struct Committed {};
struct Start {};
/// Beside it: the socket of the payload's notifications, if init was given one.
struct Accepted {};
struct Failed {
    Stage stage{};
    ErrorKind kind{};
    std::int32_t errnum = 0;
    std::string text;
};
/// Beside it: the next trees of LaunchPlan::mount_sources, in their order; none at all if init has
/// to open them by itself. Only with RootfsPlan::sources_given, and as many as it takes.
struct MountSources {};

/// Beside it: what ExecPlan::joins says.
struct ExecPlanMessage {
    plan::ExecPlan plan;
};
/// What the hooks that init runs read: the container's state, with the pid as they see it. Beside
/// it: the files for stdout and stderr, as far as there are any.
struct HookStates {
    std::string create_container;
    std::string start_container;
    bool has_output = false;
    bool has_errors = false;
};
/// Everything is mounted: the parent's hooks may run.
struct AtHooks {};
struct HooksDone {};
/// Beside it: the listener of the filter.
struct Listener {};

/// What init saw when it looked at the program, or "".
struct Diagnosis {
    std::string text;
};

using Message =
    std::variant<NeedIdMap, IdMapDone, CopyReady, InitStarted, InitPlanMessage, CgroupReady, Filter,
                 Console, ReadyMessage, Committed, Start, Accepted, Failed, MountSources, Diagnosis,
                 ExecPlanMessage, HookStates, AtHooks, HooksDone, Listener>;

/// The bytes of a message: its index, then its fields.
[[nodiscard]] std::vector<std::uint8_t> encode(const Message& message);
/// Throws: internal, for anything that encode does not write. Never reads beyond `data`.
[[nodiscard]] Message decode(std::span<const std::uint8_t> data);

[[nodiscard]] const char* name_of(const Message& message) noexcept;

/// A whole packet of a Failed message whose text is the program, so that the bare zone need only
/// write the errno at `failed_errnum_offset` and the stage at `failed_stage_offset`.
[[nodiscard]] std::vector<std::uint8_t> encode_bare_failure(const std::string& program);
inline constexpr std::size_t failed_stage_offset = 2;
inline constexpr std::size_t failed_errnum_offset = 4;

/// The first byte of a packet: whether more packets of the same message follow.
enum class Fragment : std::uint8_t { last = 0, more = 1 };
inline constexpr std::size_t max_fragment_bytes = 32 * 1024;
inline constexpr std::size_t max_message_bytes = std::size_t{64} << 20;

} // namespace coracle::launch
