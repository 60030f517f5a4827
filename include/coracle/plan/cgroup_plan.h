#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

/// What is decided about a container's cgroup. Plain data; cgroup v2 only.
/// Source: Linux Documentation/admin-guide/cgroup-v2.rst.
namespace coracle::plan {

enum class CgroupMethod : std::uint8_t {
    none,
    cgroupfs, ///< a directory made by the parent
    systemd,  ///< a transient scope, made by the user's or the system's manager
};

/// One value for a file of the cgroup.
struct CgroupWrite {
    /// What a file that is not there, or may not be written, is.
    enum class Missing : std::uint8_t {
        error,
        degradation, ///< reported, and the container does without
        ignored,     ///< a part of a limit that older kernels do not have
    };

    std::string member; ///< where it comes from, for messages: "/linux/resources/memory/limit"
    std::string file;   ///< "memory.max"
    std::string value;  ///< without newline
    Missing missing = Missing::error;
    /// Another file for the same, which not every kernel has, nor each for every device.
    enum class Other : std::uint8_t {
        instead, ///< where `file` does not take the value
        too,     ///< where it is there
    };
    Other other = Other::instead;
    std::string other_file; ///< empty: none
    std::string other_value;
    /// The first of two: the kernel may refuse the value until a later write is done.
    bool may_be_early = false;
    /// A file with a number that must be below the value; empty: none.
    std::string above;
};

/// The one element of a property such as IODeviceWeight, whose elements add up.
struct DeviceValue {
    std::string node; ///< "/dev/block/8:0"
    std::uint64_t value = 0;
    bool operator==(const DeviceValue&) const = default;
};

/// A property of a systemd unit, as org.freedesktop.systemd1(5) has it.
struct UnitProperty {
    std::string name;
    /// b, t, s, ay, a(st)
    std::variant<bool, std::uint64_t, std::string, std::vector<std::uint8_t>, DeviceValue> value;
    bool operator==(const UnitProperty&) const = default;
};

enum class BusKind : std::uint8_t { none, user, system };

/// The transient scope of a container.
struct ScopePlan {
    BusKind bus{};
    std::string bus_path; ///< of the bus' socket
    std::string name;     ///< "coracle-web.scope"
    std::string slice;    ///< "user.slice"
    std::string description;
    std::vector<UnitProperty> properties;
    /// What the scope does when the kernel kills one of its processes for want of memory:
    /// "continue" or "kill". systemd knows the property for scopes from 253 on.
    std::string oom_policy;
};

enum class DeviceKind : std::uint8_t { any, block, character };

/// One rule about devices; of those that match, the last decides.
struct DeviceRule {
    bool allow = false;
    DeviceKind kind{};
    std::optional<std::uint32_t> major; ///< nothing: every one
    std::optional<std::uint32_t> minor;
    std::uint32_t access = 0; ///< BPF_DEVCG_ACC_MKNOD 1, READ 2, WRITE 4
    bool operator==(const DeviceRule&) const = default;
};

/// When the scope gets its first process.
enum class ScopeStart : std::uint8_t {
    with_init,         ///< which has the caller's uid still
    with_intermediate, ///< before it gets an uid that the user's manager may not move
};

struct CgroupPlan {
    CgroupMethod method = CgroupMethod::none;
    std::string reason;      ///< why it is this method
    std::string mount_point; ///< of cgroup2
    std::string path;        ///< cgroupfs: of the container's cgroup below the mount point: "/a/b"
    ScopePlan scope;         ///< systemd
    ScopeStart scope_start{};
    /// No limit was asked for: where the cgroup cannot be made, the container does without, and
    /// that is reported.
    bool optional = false;
    /// What is refused for want of rights is reported and not an error: --rootless=true.
    bool lenient = false;
    std::vector<std::string> controllers; ///< to enable for the container, if they are there
    std::vector<CgroupWrite> writes;      ///< in their order
    /// Rules of an eBPF program on the cgroup; nothing: no such program.
    std::optional<std::vector<DeviceRule>> devices;
    /// Who shall own the cgroup's delegated files, on the host: the container's root.
    std::optional<std::uint32_t> owner;
    std::string sub_cgroup; ///< the payload's, below the container's; empty: none
};

/// What `update` changes.
struct CgroupUpdate {
    std::vector<CgroupWrite> writes;
    std::vector<UnitProperty> properties;
};

} // namespace coracle::plan
