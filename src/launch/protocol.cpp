#include "protocol_private.h"

#include "coracle/base/archive.h"

#include <array>

namespace coracle::plan {

// The fields of every struct that crosses, once. `Of<A, T>` is const when the archive writes.
template <class Archive, class T>
using Of = std::conditional_t<Archive::reads, T, const T>;

template <class A>
void fields(A& a, Of<A, AttributeChange>& v) {
    archive::transfer_all(a, v.set, v.clear);
}
template <class A>
void fields(A& a, Of<A, NewFilesystem>& v) {
    archive::transfer_all(a, v.type, v.source, v.data, v.superblock_flags, v.copy_up);
}
template <class A>
void fields(A& a, Of<A, BindMount>& v) {
    archive::transfer_all(a, v.source, v.recursive);
    archive::transfer_enum(a, v.link, SourceLink::copy);
    archive::transfer_all(a, v.with_host_peers);
}
template <class A>
void fields(A& a, Of<A, Remount>& v) {
    archive::transfer_all(a, v.data, v.superblock_flags, v.superblock_clear);
}
template <class A>
void fields(A& a, Of<A, MountStep>& v) {
    archive::transfer_all(a, v.name, v.destination);
    archive::transfer_variant(a, v.what);
    archive::transfer_all(a, v.attributes, v.recursive_attributes, v.propagation,
                          v.propagation_recursive, v.read_only_last, v.no_symlinks, v.on_symlink,
                          v.shows_cgroups, v.fallback);
}
template <class A>
void fields(A& a, Of<A, DeviceStep>& v) {
    archive::transfer_enum(a, v.method, DeviceMethod::bind_from_host);
    archive::transfer_all(a, v.path, v.mode, v.major, v.minor, v.uid, v.gid, v.from_config);
}
template <class A>
void fields(A& a, Of<A, SymlinkStep>& v) {
    archive::transfer_all(a, v.path, v.target);
}
template <class A>
void fields(A& a, Of<A, RootfsPlan>& v) {
    archive::transfer_all(a, v.path, v.readonly, v.propagation, v.sources_given, v.pivot, v.mounts,
                          v.devices, v.symlinks, v.masked_paths, v.readonly_paths);
}
template <class A>
void fields(A& a, Of<A, CapabilityPlan>& v) {
    archive::transfer_all(a, v.bounding, v.effective, v.inheritable, v.permitted, v.ambient);
}
template <class A>
void fields(A& a, Of<A, RlimitPlan>& v) {
    archive::transfer_all(a, v.resource, v.soft, v.hard);
}
template <class A>
void fields(A& a, Of<A, SchedulerPlan>& v) {
    archive::transfer_all(a, v.policy, v.flags, v.nice, v.priority, v.runtime, v.deadline,
                          v.period);
}
template <class A>
void fields(A& a, Of<A, IoPriorityPlan>& v) {
    archive::transfer_all(a, v.io_class, v.level);
}
template <class A>
void fields(A& a, Of<A, MemoryPolicyPlan>& v) {
    archive::transfer_all(a, v.mode, v.nodes);
}
template <class A>
void fields(A& a, Of<A, LandlockPath>& v) {
    archive::transfer_all(a, v.path, v.rights);
}
template <class A>
void fields(A& a, Of<A, LandlockPort>& v) {
    archive::transfer_all(a, v.port, v.rights);
}
template <class A>
void fields(A& a, Of<A, LandlockPlan>& v) {
    archive::transfer_all(a, v.handled_fs, v.handled_net, v.scoped, v.file_rights, v.paths,
                          v.ports);
}
template <class A>
void fields(A& a, Of<A, ProcessPlan>& v) {
    archive::transfer_enum(a, v.groups_method, GroupsMethod::set_if_allowed);
    archive::transfer_all(
        a, v.terminal, v.terminal_height, v.terminal_width, v.args, v.env, v.cwd, v.set_home, v.uid,
        v.gid, v.groups, v.umask, v.no_new_privileges, v.capabilities, v.last_capability, v.rlimits,
        v.oom_score_adj, v.scheduler, v.io_priority, v.personality, v.memory_policy,
        v.apparmor_change, v.selinux_label, v.ignored_signals, v.preserve_fds, v.has_filter,
        v.filter_flags, v.landlock, v.own_core_cookie, v.parent_death_signal);
}
template <class A>
void fields(A& a, Of<A, Hook>& v) {
    archive::transfer_all(a, v.name, v.path, v.args, v.env, v.timeout_seconds);
}
template <class A>
void fields(A& a, Of<A, InitPlan>& v) {
    archive::transfer_text(a, v.id);
    archive::transfer_enum(a, v.gate, GateKind::channel);
    archive::transfer_all(a, v.hostname, v.domainname, v.new_session_keyring,
                          v.new_cgroup_namespace, v.loopback_up, v.awaits_parent,
                          v.own_pid_namespace, v.sysctls, v.rootfs, v.process, v.waits_for_hooks,
                          v.create_container_hooks, v.start_container_hooks);
}
template <class A>
void fields(A& a, Of<A, ExecPlan>& v) {
    archive::transfer_all(a, v.id, v.join_session_keyring, v.joins_user_namespace, v.joins,
                          v.initial_cpus, v.final_cpus, v.core_cookie_of, v.process);
}
template <class A>
void fields(A& a, Of<A, Degradation>& v) {
    archive::transfer_all(a, v.what, v.why);
}

} // namespace coracle::plan

namespace coracle::launch {

using archive::Decoder;
using archive::Encoder;

using plan::Of;

template <class A>
void fields(A& /*a*/, Of<A, NeedIdMap>& /*v*/) {}
template <class A>
void fields(A& /*a*/, Of<A, IdMapDone>& /*v*/) {}
template <class A>
void fields(A& /*a*/, Of<A, CopyReady>& /*v*/) {}
template <class A>
void fields(A& a, Of<A, InitStarted>& v) {
    transfer(a, v.pid);
}
template <class A>
void fields(A& a, Of<A, InitPlanMessage>& v) {
    transfer(a, v.plan);
}
template <class A>
void fields(A& /*a*/, Of<A, CgroupReady>& /*v*/) {}
template <class A>
void fields(A& a, Of<A, Filter>& v) {
    if constexpr (A::reads) {
        v.program.resize(a.length());
    } else {
        a.integer(static_cast<std::uint64_t>(v.program.size()));
    }
    a.bytes(v.program.data(), v.program.size());
}
template <class A>
void fields(A& /*a*/, Of<A, Console>& /*v*/) {}
template <class A>
void fields(A& a, Of<A, ReadyMessage>& v) {
    transfer(a, v.degraded);
}
template <class A>
void fields(A& /*a*/, Of<A, Committed>& /*v*/) {}
template <class A>
void fields(A& /*a*/, Of<A, Start>& /*v*/) {}
template <class A>
void fields(A& /*a*/, Of<A, Accepted>& /*v*/) {}
template <class A>
void fields(A& a, Of<A, Failed>& v) {
    transfer_enum(a, v.stage, Stage::execve);
    transfer_enum(a, v.kind, ErrorKind::internal);
    transfer_all(a, v.errnum, v.text);
}
template <class A>
void fields(A& /*a*/, Of<A, MountSources>& /*v*/) {}
template <class A>
void fields(A& a, Of<A, Diagnosis>& v) {
    transfer(a, v.text);
}
template <class A>
void fields(A& a, Of<A, ExecPlanMessage>& v) {
    transfer(a, v.plan);
}
template <class A>
void fields(A& a, Of<A, HookStates>& v) {
    transfer_all(a, v.create_container, v.start_container, v.has_output, v.has_errors);
}
template <class A>
void fields(A& /*a*/, Of<A, AtHooks>& /*v*/) {}
template <class A>
void fields(A& /*a*/, Of<A, HooksDone>& /*v*/) {}
template <class A>
void fields(A& /*a*/, Of<A, Listener>& /*v*/) {}

namespace {

template <std::size_t Index = 0>
Message decode_alternative(std::size_t index, Decoder& decoder) {
    if constexpr (Index < std::variant_size_v<Message>) {
        if (index != Index) {
            return decode_alternative<Index + 1>(index, decoder);
        }
        std::variant_alternative_t<Index, Message> value{};
        fields(decoder, value);
        return value;
    } else {
        throw_error(ErrorKind::internal, "an unknown message of the other process");
    }
}

} // namespace

std::vector<std::uint8_t> encode(const Message& message) {
    Encoder encoder;
    encoder.integer(static_cast<std::uint8_t>(message.index()));
    std::visit([&](const auto& value) { fields(encoder, value); }, message);
    return encoder.take();
}

Message decode(std::span<const std::uint8_t> data) {
    Decoder decoder(data);
    std::uint8_t index = 0;
    decoder.integer(index);
    Message message = decode_alternative(index, decoder);
    decoder.require_end();
    return message;
}

const char* name_of(const Message& message) noexcept {
    constexpr std::array<const char*, std::variant_size_v<Message>> names{
        "NeedIdMap",   "IdMapDone",  "CopyReady", "InitStarted",  "InitPlan",
        "CgroupReady", "Filter",     "Console",   "Ready",        "Committed",
        "Start",       "Accepted",   "Failed",    "MountSources", "Diagnosis",
        "ExecPlan",    "HookStates", "AtHooks",   "HooksDone",    "Listener"};
    return names.at(message.index());
}

std::vector<std::uint8_t> encode_bare_failure(const std::string& program) {
    std::vector<std::uint8_t> packet{static_cast<std::uint8_t>(Fragment::last)};
    std::vector<std::uint8_t> body = encode(Failed{Stage::begin, ErrorKind::system, 0, program});
    packet.insert(packet.end(), body.begin(), body.end());
    return packet;
}

} // namespace coracle::launch
