#include "coracle/plan/make_launch_plan.h"

#include "coracle/base/text.h"
#include "describe_private.h"

#include <array>
#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/stat.h>

namespace coracle::plan {

namespace {

struct FlagName {
    std::uint64_t flag;
    const char* name;
};

template <std::size_t Count>
std::string name_flags(std::uint64_t flags, const std::array<FlagName, Count>& names) {
    std::string text;
    for (const FlagName& entry : names) {
        if ((flags & entry.flag) != 0) {
            text += text.empty() ? "" : ",";
            text += entry.name;
            flags &= ~entry.flag;
        }
    }
    if (flags != 0) {
        text += fmt::format("{}{:#x}", text.empty() ? "" : ",", flags);
    }
    return text;
}

std::string name_attributes(std::uint64_t attributes) {
    constexpr std::array<FlagName, 8> names{{
        {0x1, "ro"},
        {0x2, "nosuid"},
        {0x4, "nodev"},
        {0x8, "noexec"},
        {0x10, "noatime"},
        {0x20, "strictatime"},
        {0x80, "nodiratime"},
        {0x200000, "nosymfollow"},
    }};
    return name_flags(attributes, names);
}

std::string name_propagation(std::uint64_t propagation) {
    constexpr std::array<FlagName, 5> names{{
        {MS_REC, "recursive"},
        {MS_PRIVATE, "private"},
        {MS_SLAVE, "slave"},
        {MS_SHARED, "shared"},
        {MS_UNBINDABLE, "unbindable"},
    }};
    return name_flags(propagation, names);
}

std::string name_superblock_flags(std::uint64_t flags) {
    constexpr std::array<FlagName, 6> names{{
        {MS_RDONLY, "ro"},
        {MS_SYNCHRONOUS, "sync"},
        {MS_DIRSYNC, "dirsync"},
        {MS_LAZYTIME, "lazytime"},
        {MS_MANDLOCK, "mand"},
        {MS_I_VERSION, "iversion"},
    }};
    return name_flags(flags, names);
}

std::string name_attribute_change(const char* label, const AttributeChange& change) {
    std::string text;
    if (change.set != 0) {
        text += fmt::format(" {}set={}", label, name_attributes(change.set));
    }
    if (change.clear != 0) {
        text += fmt::format(" {}clear={}", label, name_attributes(change.clear));
    }
    return text;
}

const char* describe_link(SourceLink link) {
    constexpr std::array<const char*, 3> texts{"", " src-nofollow", " copy-symlink"};
    return texts.at(static_cast<std::size_t>(link));
}

std::string describe_bind(const BindMount& bind) {
    return fmt::format("{} {}{}{}", bind.recursive ? "rbind" : "bind", quote(bind.source),
                       describe_link(bind.link), bind.with_host_peers ? " with-host-peers" : "");
}

void describe_resctrl(const ResctrlPlan& resctrl, std::string& out) {
    out += fmt::format("resctrl: {}/{}{}", resctrl.mount_point, resctrl.group,
                       resctrl.owned ? " (made, and removed with the container)" : "");
    for (const std::vector<std::string>* lines : {&resctrl.own_schemas, &resctrl.schemata}) {
        for (const std::string& line : *lines) {
            out += " " + quote(line);
        }
    }
    out +=
        resctrl.monitor_group.empty() ? "\n" : fmt::format(" monitor {}\n", resctrl.monitor_group);
}

void describe_identity(const LaunchPlan& plan, std::string& out) {
    constexpr std::array<const char*, 4> methods{
        "none", "written by the parent", "own ids, setgroups denied", "by newuidmap and newgidmap"};
    out += "namespaces:\n";
    for (const NamespacePlan& entry : plan.namespaces) {
        out += fmt::format("  {}: {}\n", name_of(entry.kind),
                           entry.path.empty() ? std::string("new") : "join " + quote(entry.path));
    }
    for (const TimeOffset& offset : plan.time_offsets) {
        out += fmt::format("  {} clock: {} s and {} ns added\n", offset.clock, offset.seconds,
                           offset.nanoseconds);
    }
    for (const NetDevicePlan& device : plan.net_devices) {
        out +=
            fmt::format("  network device {}: moved, {} inside\n", device.host_name, device.name);
    }
    out += fmt::format("id map: {}\n", methods.at(static_cast<std::size_t>(plan.id_map.method)));
    for (const IdMapping& map : plan.id_map.uids) {
        out += fmt::format("  uid {} = host {} size {}\n", value_of(map.container),
                           value_of(map.host), map.size);
    }
    for (const IdMapping& map : plan.id_map.gids) {
        out += fmt::format("  gid {} = host {} size {}\n", value_of(map.container),
                           value_of(map.host), map.size);
    }
    if (plan.resctrl) {
        describe_resctrl(*plan.resctrl, out);
    }
    describe_cgroup(plan.cgroup, out);
}

std::string describe_filesystem(const NewFilesystem& filesystem) {
    std::string text = fmt::format("new {} source={}", filesystem.type, quote(filesystem.source));
    if (!filesystem.data.empty()) {
        text += " options=" + quote(join(filesystem.data, ","));
    }
    if (filesystem.superblock_flags != 0) {
        text += " superblock=" + name_superblock_flags(filesystem.superblock_flags);
    }
    return text + (filesystem.copy_up ? " copy-up" : "");
}

std::string describe_remount(const Remount& remount) {
    std::string text = "remount";
    if (!remount.data.empty()) {
        text += " options=" + quote(join(remount.data, ","));
    }
    if (remount.superblock_flags != 0) {
        text += " superblock=" + name_superblock_flags(remount.superblock_flags);
    }
    if (remount.superblock_clear != 0) {
        text += " superblock-clear=" + name_superblock_flags(remount.superblock_clear);
    }
    return text;
}

void describe_mount(const MountStep& step, std::string& out) {
    out += fmt::format("  {} {}: ", step.name, quote(step.destination));
    if (const NewFilesystem* filesystem = std::get_if<NewFilesystem>(&step.what)) {
        out += describe_filesystem(*filesystem);
    } else if (const BindMount* bind = std::get_if<BindMount>(&step.what)) {
        out += describe_bind(*bind);
    } else {
        out += describe_remount(std::get<Remount>(step.what));
    }
    out += name_attribute_change("", step.attributes);
    out += name_attribute_change("recursive-", step.recursive_attributes);
    if (step.propagation != 0) {
        out += fmt::format(" propagation={}",
                           name_propagation(step.propagation |
                                            (step.propagation_recursive ? unsigned{MS_REC} : 0U)));
    }
    if (step.read_only_last) {
        out += " read-only-last";
    }
    if (step.no_symlinks) {
        out += " no-symlinks";
    }
    if (step.on_symlink) {
        out += " dest-nofollow";
    }
    if (step.fallback) {
        out += fmt::format(" on-EPERM=({})", describe_bind(*step.fallback));
    }
    out += '\n';
}

char device_letter(std::uint32_t mode) {
    return S_ISBLK(mode) ? 'b' : S_ISFIFO(mode) ? 'p' : 'c';
}

std::string describe_map(const char* kind, const std::vector<IdMapping>& map) {
    std::string text;
    for (const IdMapping& entry : map) {
        text += fmt::format(" {} {}={}+{}", kind, value_of(entry.container), value_of(entry.host),
                            entry.size);
    }
    return text;
}

void describe_sources(const std::vector<MountSource>& sources, std::string& out) {
    if (sources.empty()) {
        return;
    }
    out += "opened by the parent:\n";
    for (const MountSource& source : sources) {
        out +=
            fmt::format("  {}: {}{}", source.name, quote(source.path), describe_link(source.link));
        if (source.id_map != MountIdMap::none) {
            out += source.id_map_recursive ? " ridmap" : " idmap";
            out += source.id_map == MountIdMap::container
                       ? std::string(" by the container's user namespace")
                       : describe_map("uid", source.uids) + describe_map("gid", source.gids);
        }
        out += '\n';
    }
}

void describe_rootfs(const RootfsPlan& rootfs, std::string& out) {
    out += fmt::format("rootfs: {} {} {}\n", quote(rootfs.path),
                       rootfs.readonly ? "read-only" : "read-write",
                       rootfs.pivot ? "pivot_root" : "no pivot_root (unsafe)");
    if (rootfs.propagation != 0) {
        out += fmt::format("  propagation: {}\n", name_propagation(rootfs.propagation));
    }
    out += "mounts:\n";
    for (const MountStep& step : rootfs.mounts) {
        describe_mount(step, out);
    }
    out += "devices:\n";
    for (const DeviceStep& step : rootfs.devices) {
        out += fmt::format("  {} {} {}:{} mode {:04o}", quote(step.path), device_letter(step.mode),
                           step.major, step.minor, step.mode & 07777U);
        out += step.method == DeviceMethod::make_node
                   ? fmt::format(" owner {}:{}: mknod\n", step.uid, step.gid)
                   : std::string(": bind from the host\n");
    }
    for (const SymlinkStep& step : rootfs.symlinks) {
        out += fmt::format("  {} -> {}\n", quote(step.path), step.target);
    }
    for (const std::string& path : rootfs.masked_paths) {
        out += fmt::format("masked: {}\n", quote(path));
    }
    for (const std::string& path : rootfs.readonly_paths) {
        out += fmt::format("read-only: {}\n", quote(path));
    }
}

void describe_seccomp(const LaunchPlan& plan, std::string& out) {
    if (!plan.seccomp) {
        out += "seccomp: none\n";
        return;
    }
    std::size_t names = 0;
    for (const SeccompRule& rule : plan.seccomp->rules) {
        names += rule.names.size();
    }
    out += fmt::format("seccomp: default {:#010x}, {} rules over {} names, architectures {}, "
                       "loaded {}\n",
                       plan.seccomp->default_action, plan.seccomp->rules.size(), names,
                       plan.seccomp->architectures.empty() ? std::string("native")
                                                           : join(plan.seccomp->architectures, ","),
                       plan.init.process.no_new_privileges
                           ? "last, under no_new_privs"
                           : "last, with CAP_SYS_ADMIN kept until then");
    if (plan.seccomp->listener) {
        out += "  listener to " + quote(plan.seccomp->listener->path) + "\n";
    }
}

void describe_init(const InitPlan& init, std::string& out) {
    if (!init.hostname.empty()) {
        out += "hostname: " + quote(init.hostname) + "\n";
    }
    if (!init.domainname.empty()) {
        out += "domainname: " + quote(init.domainname) + "\n";
    }
    out += fmt::format("loopback: {}\nsession keyring: {}\nstart gate: {}\n",
                       init.loopback_up ? "up" : "as it is",
                       init.new_session_keyring ? "new" : "the caller's",
                       init.gate == GateKind::socket ? "socket" : "channel");
    for (const auto& [key, value] : init.sysctls) {
        out += fmt::format("sysctl: {} = {}\n", printable(key), quote(value));
    }
}

} // namespace

std::string describe(const LaunchPlan& plan) {
    std::string out = fmt::format("container: {}\nbundle: {}\n", plan.id, quote(plan.bundle));
    describe_identity(plan, out);
    describe_init(plan.init, out);
    describe_sources(plan.mount_sources, out);
    describe_rootfs(plan.init.rootfs, out);
    describe_process(plan.init.process, out);
    describe_seccomp(plan, out);
    out += describe_hooks(plan);
    if (plan.degradations.empty()) {
        out += "degradations: none\n";
        return out;
    }
    out += "degradations:\n";
    for (const Degradation& entry : plan.degradations) {
        out += fmt::format("  {}: {}\n", entry.what, entry.why);
    }
    return out;
}

} // namespace coracle::plan
