#include "plan_private.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/spec/mount_options.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <sys/mount.h>

namespace coracle::plan {

namespace {

using spec::MountOptions;

[[noreturn]] void refuse(ErrorKind kind, const std::string& pointer, const std::string& text) {
    throw_error(kind, pointer + "/options: " + text);
}

/// The first word of `options` that only a filesystem of the container's own can take; empty
/// without one.
std::string find_filesystem_word(const MountOptions& options) {
    struct Entry {
        std::uint64_t flag;
        const char* set;
        const char* clear;
    };
    constexpr std::array<Entry, 5> entries{{
        {MS_SYNCHRONOUS, "sync", "async"},
        {MS_DIRSYNC, "dirsync", "dirsync"},
        {MS_LAZYTIME, "lazytime", "nolazytime"},
        {MS_MANDLOCK, "mand", "nomand"},
        {MS_I_VERSION, "iversion", "noiversion"},
    }};
    for (const Entry& entry : entries) {
        if ((options.superblock_flags & entry.flag) != 0) {
            return entry.set;
        }
        // What a mount does anyway is no change, but of one that is there already.
        if (options.remount && (options.superblock_clear & entry.flag) != 0) {
            return entry.clear;
        }
    }
    // podman and buildah have done these, and leave the words among the options of the bind mount.
    constexpr std::array<std::string_view, 5> done{"z", "Z", "U", "copy", "nocopy"};
    auto word = std::ranges::find_if(options.data, [&done](const std::string& option) {
        return std::ranges::find(done, option) == done.end();
    });
    return word == options.data.end() ? std::string() : printable(*word);
}

/// Source: runtime-spec config.md#linux-mount-options, idmap; mount_setattr(2), ID-mapped mounts.
void require_possible_id_map(const Inputs& inputs, const spec::Mount& mount,
                             const MountOptions& options, const LaunchPlan& plan,
                             const std::string& pointer) {
    bool has_maps = !mount.uid_mappings.empty();
    if (options.id_map.empty() && !has_maps) {
        return;
    }
    if (!options.bind || options.remount) {
        throw_error(ErrorKind::unsupported, pointer + ": only a bind mount can be id-mapped");
    }
    if (!has_maps && plan.user_namespace == UserNamespace::current) {
        refuse(ErrorKind::invalid_config, pointer,
               options.id_map + " without uidMappings and gidMappings is about the container's "
                                "user namespace, and it has none of its own");
    }
    if (!inputs.facts.privileged) {
        throw_error(ErrorKind::unsupported,
                    pointer + ": id-mapped mounts need privilege over the filesystem of the "
                              "source, which a plain user has not: give the files to the mapped "
                              "ids, or run coracle as root");
    }
}

void require_possible_options(const spec::Mount& mount, const MountOptions& options,
                              const std::string& pointer) {
    if (options.copy_up && (options.bind || options.remount || mount.type != "tmpfs")) {
        refuse(ErrorKind::invalid_config, pointer, "tmpcopyup is for a new tmpfs");
    }
    if ((options.copy_symlink || options.bind_symlink) && (!options.bind || options.remount)) {
        refuse(ErrorKind::invalid_config, pointer,
               std::string(options.copy_symlink ? "copy-symlink" : "src-nofollow") +
                   " is for a bind mount");
    }
    std::string word = options.bind ? find_filesystem_word(options) : std::string();
    if (!word.empty()) {
        refuse(ErrorKind::invalid_config, pointer,
               "a bind mount has no option " + word + ", which belongs to a filesystem");
    }
}

/// The kernel answers EINVAL to a uid or gid that the user namespace does not map.
void require_mapped_ids(const MountOptions& options, const IdMapPlan& map,
                        const std::string& pointer) {
    for (const std::string& option : options.data) {
        std::string kind = option.substr(0, 3);
        if (!option.starts_with("gid=") && !option.starts_with("uid=")) {
            continue;
        }
        std::optional<std::uint64_t> id =
            parse_unsigned(std::string_view(option).substr(4), UINT32_MAX - 1);
        if (!id) {
            refuse(ErrorKind::invalid_config, pointer,
                   printable(option) + ": not a number of an id");
        }
        if (!is_mapped(kind == "gid" ? map.gids : map.uids, static_cast<std::uint32_t>(*id))) {
            refuse(ErrorKind::invalid_config, pointer,
                   option + ": " + kind + " " + std::to_string(*id) +
                       " is not mapped in the container's user namespace: remove the option, or "
                       "map it in /linux/" +
                       kind + "Mappings");
        }
    }
}

BindMount make_bind(const Inputs& inputs, const spec::Mount& mount, const MountOptions& options,
                    const std::string& pointer) {
    if (mount.source.empty()) {
        throw_error(ErrorKind::invalid_config, pointer + "/source: a bind mount needs a source");
    }
    std::string source =
        mount.source.starts_with('/') ? mount.source : inputs.options.bundle + "/" + mount.source;
    SourceLink link = options.copy_symlink   ? SourceLink::copy
                      : options.bind_symlink ? SourceLink::bind
                                             : SourceLink::follow;
    return {std::move(source), options.recursive_bind, link, false};
}

/// What the host has instead where the kernel refuses a new instance in a user namespace that does
/// not own the network, ipc or cgroup namespace.
std::optional<BindMount> make_fallback(const std::string& type) {
    struct Entry {
        const char* type;
        const char* source;
    };
    constexpr std::array<Entry, 3> entries{{
        {"sysfs", "/sys"},
        {"mqueue", "/dev/mqueue"},
        {"cgroup2", "/sys/fs/cgroup"},
    }};
    for (const Entry& entry : entries) {
        if (type == entry.type) {
            return BindMount{entry.source, true, SourceLink::follow, false};
        }
    }
    return std::nullopt;
}

/// Filesystems whose superblock is the kernel's own, or shared with other containers: read-only is
/// a matter of the mount there. tmpfs has to be filled first.
bool is_read_only_by_mount(const std::string& type) {
    constexpr std::array<std::string_view, 7> types{"cgroup2", "devpts", "mqueue", "proc",
                                                    "ramfs",   "sysfs",  "tmpfs"};
    return std::find(types.begin(), types.end(), type) != types.end();
}

/// The kernel takes a label for the whole of these only; of proc, sysfs and cgroup2 the policy says
/// what each file is. Source: mount(8), context=.
void add_label(const Inputs& inputs, NewFilesystem& filesystem) {
    constexpr std::array<std::string_view, 4> labelled_by_policy{"cgroup2", "mqueue", "proc",
                                                                 "sysfs"};
    const std::string& label = inputs.linux_.mount_label;
    bool has_own =
        std::any_of(filesystem.data.begin(), filesystem.data.end(), [](const std::string& option) {
            return option.find("context=") != std::string::npos;
        });
    bool fixed = std::find(labelled_by_policy.begin(), labelled_by_policy.end(), filesystem.type) !=
                 labelled_by_policy.end();
    if (!label.empty() && !has_own && !fixed) {
        filesystem.data.push_back("context=" + label);
    }
}

NewFilesystem make_filesystem(const spec::Mount& mount, const MountOptions& options,
                              const AttributeChange& attributes, const std::string& pointer) {
    if (mount.type.empty()) {
        throw_error(ErrorKind::invalid_config,
                    pointer + "/type: missing, and no option says bind or rbind");
    }
    NewFilesystem filesystem;
    filesystem.type = mount.type == "cgroup" ? "cgroup2" : mount.type;
    filesystem.source = mount.source.empty() ? mount.type : mount.source;
    filesystem.data = options.data;
    filesystem.superblock_flags = options.superblock_flags;
    filesystem.copy_up = options.copy_up;
    if ((attributes.set & MOUNT_ATTR_RDONLY) != 0 && !is_read_only_by_mount(filesystem.type)) {
        filesystem.superblock_flags |= MS_RDONLY;
    }
    return filesystem;
}

/// A change of what is mounted at the destination by then. Only of a filesystem that the container
/// has made itself is the superblock its own to change.
Remount make_remount(const MountOptions& options, const RootfsPlan& rootfs, const MountStep& step,
                     const std::string& pointer) {
    const MountStep* changed = nullptr;
    for (const MountStep& earlier : rootfs.mounts) {
        if (earlier.destination == step.destination &&
            !std::holds_alternative<Remount>(earlier.what)) {
            changed = &earlier;
        }
    }
    bool is_own = changed != nullptr && std::holds_alternative<NewFilesystem>(changed->what);
    std::string word = find_filesystem_word(options);
    if (!is_own && !word.empty()) {
        refuse(ErrorKind::invalid_config, pointer,
               word + " belongs to a filesystem, and no earlier mount makes one at " +
                   printable(step.destination) + " to remount");
    }
    if (((options.superblock_flags | options.superblock_clear) & MS_I_VERSION) != 0) {
        refuse(ErrorKind::unsupported, pointer,
               "iversion cannot be changed by remount: give it to the mount itself");
    }
    return {options.data, options.superblock_flags, options.superblock_clear};
}

/// What was said of the whole tree and of its top, for a new mount, which is both. Its flags are
/// clear; only of access times one mode takes the place of another.
AttributeChange fold(const MountOptions& options) {
    std::uint64_t cleared = options.clear_attributes | options.recursive_clear;
    return {(options.recursive_set & ~options.clear_attributes) | options.set_attributes,
            cleared & MOUNT_ATTR__ATIME};
}

void set_propagation(const MountOptions& options, const RootfsPlan& rootfs, MountStep& step) {
    if (options.propagation != 0) {
        step.propagation = options.propagation;
        step.propagation_recursive = options.propagation_recursive;
        return;
    }
    if (options.remount) {
        return;
    }
    // "rshared" and "rslave" of the root are about all below it that says nothing else. A new
    // filesystem has nothing to be a slave of.
    std::uint32_t follows = options.bind ? MS_SHARED | MS_SLAVE : MS_SHARED;
    bool inherits = (rootfs.propagation & MS_REC) != 0 && (rootfs.propagation & follows) != 0;
    step.propagation = inherits ? rootfs.propagation & ~unsigned{MS_REC} : unsigned{MS_PRIVATE};
    step.propagation_recursive = options.recursive_bind;
}

/// With a shared root, a bind that says "shared" keeps its tie to the host's mount. A user
/// namespace cuts it: mount_namespaces(7), "Restrictions on mount namespaces".
void keep_host_peers(const MountOptions& options, const MountStep& step, const RootfsPlan& rootfs,
                     LaunchPlan& plan, BindMount& bind) {
    if (options.propagation != MS_SHARED || (rootfs.propagation & MS_SHARED) == 0) {
        return;
    }
    bind.with_host_peers = plan.user_namespace == UserNamespace::current;
    if (!bind.with_host_peers) {
        plan.degradations.push_back(
            {step.name + " " + step.destination,
             "shared: what the container mounts there is not seen on the host, since a user "
             "namespace only receives mounts"});
    }
}

/// Without a cgroup namespace a new instance would show the host's whole hierarchy.
void bind_host_cgroup(MountStep& step) {
    step.recursive_attributes = step.attributes;
    step.attributes = {};
    step.shows_cgroups = false;
    step.what = BindMount{"/sys/fs/cgroup", true, SourceLink::follow, false};
    step.fallback.reset();
}

} // namespace

MountStep make_mount_step(const Inputs& inputs, LaunchPlan& plan, const RootfsPlan& rootfs,
                          std::size_t index) {
    const spec::Mount& mount = inputs.config.mounts[index];
    std::string pointer = "/mounts/" + std::to_string(index);
    MountOptions options = spec::parse_mount_options(mount.options);
    options.bind = options.bind || mount.type == "bind";
    require_possible_options(mount, options, pointer);
    require_possible_id_map(inputs, mount, options, plan, pointer);

    MountStep step;
    step.name = "mounts[" + std::to_string(index) + "]";
    step.destination = clean_absolute(mount.destination);
    step.on_symlink = options.on_symlink;
    set_propagation(options, rootfs, step);
    step.attributes = {options.set_attributes, options.clear_attributes};
    step.recursive_attributes = {options.recursive_set, options.recursive_clear};
    if (options.remount) {
        step.what = make_remount(options, rootfs, step, pointer);
        return step;
    }
    if (step.destination == "/") {
        throw_error(ErrorKind::unsupported,
                    pointer +
                        "/destination: a mount over / is not supported: name it in /root/path");
    }
    if (options.bind) {
        BindMount bind = make_bind(inputs, mount, options, pointer);
        keep_host_peers(options, step, rootfs, plan, bind);
        step.what = std::move(bind);
        return step;
    }
    step.attributes = fold(options);
    step.recursive_attributes = {};
    NewFilesystem filesystem = make_filesystem(mount, options, step.attributes, pointer);
    add_label(inputs, filesystem);
    step.no_symlinks = filesystem.type == "proc" || filesystem.type == "sysfs";
    step.shows_cgroups = filesystem.type == "cgroup2";
    if (plan.id_map.method != IdMapMethod::none) {
        require_mapped_ids(options, plan.id_map, pointer);
    }
    bool in_user_namespace =
        plan.user_namespace != UserNamespace::current || !inputs.facts.initial_user_namespace;
    if (in_user_namespace || filesystem.type == "cgroup2") {
        step.fallback = make_fallback(filesystem.type);
    }
    step.what = std::move(filesystem);
    if (mount.type == "cgroup" && !has_new(plan.namespaces, NamespaceKind::cgroup)) {
        bind_host_cgroup(step);
    }
    return step;
}

} // namespace coracle::plan
