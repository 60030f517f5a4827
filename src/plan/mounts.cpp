#include "plan_private.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/spec/mount_options.h"

#include <algorithm>
#include <array>
#include <sys/mount.h>

namespace coracle::plan {

namespace {

using spec::MountOptions;

void require_supported_options(const spec::Mount& mount, const MountOptions& options,
                               const std::string& pointer) {
    if (!options.id_map.empty() || !mount.uid_mappings.empty() || !mount.gid_mappings.empty()) {
        throw_error(ErrorKind::unsupported, pointer + ": id-mapped mounts are not supported yet");
    }
    if (options.copy_up) {
        throw_error(ErrorKind::unsupported, pointer + "/options: tmpcopyup is not supported yet");
    }
    if ((options.superblock_flags & MS_REMOUNT) != 0) {
        throw_error(ErrorKind::unsupported,
                    pointer + "/options: remount is not supported: give the options to the mount "
                              "itself");
    }
    if (options.bind && options.superblock_flags != 0) {
        throw_error(ErrorKind::invalid_config,
                    pointer + "/options: sync, dirsync, lazytime and mand belong to a filesystem, "
                              "not to a bind mount");
    }
    if (options.bind && !options.data.empty()) {
        throw_error(ErrorKind::invalid_config, pointer + "/options: a bind mount has no option " +
                                                   printable(options.data.front()));
    }
}

/// devpts answers EINVAL to a gid that the user namespace does not map.
void require_mapped_gid(const MountOptions& options, const IdMapPlan& map,
                        const std::string& pointer) {
    for (const std::string& option : options.data) {
        for (const char* key : {"gid=", "uid="}) {
            std::string_view text = option;
            if (!text.starts_with(key)) {
                continue;
            }
            std::optional<std::uint64_t> id = parse_unsigned(text.substr(4), UINT32_MAX - 1);
            const std::vector<IdMapping>& ids = *key == 'g' ? map.gids : map.uids;
            if (!id || !is_mapped(ids, static_cast<std::uint32_t>(*id))) {
                throw_error(ErrorKind::invalid_config,
                            pointer + "/options: " + printable(option) +
                                " is not mapped in the user namespace: remove the option, or map "
                                "the id");
            }
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
    return {source, options.recursive_bind};
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
            return BindMount{entry.source, true};
        }
    }
    return std::nullopt;
}

NewFilesystem make_filesystem(const spec::Mount& mount, const MountOptions& options,
                              const std::string& pointer) {
    if (mount.type.empty()) {
        throw_error(ErrorKind::invalid_config,
                    pointer + "/type: missing, and no option says bind or rbind");
    }
    NewFilesystem filesystem;
    filesystem.type = mount.type == "cgroup" ? "cgroup2" : mount.type;
    filesystem.source = mount.source.empty() ? mount.type : mount.source;
    filesystem.data = options.data;
    filesystem.superblock_flags = options.superblock_flags;
    return filesystem;
}

std::uint32_t find_propagation(const std::string& word) {
    struct Entry {
        const char* word;
        std::uint32_t flags;
    };
    constexpr std::array<Entry, 8> entries{{
        {"private", MS_PRIVATE},
        {"rprivate", MS_PRIVATE | MS_REC},
        {"slave", MS_SLAVE},
        {"rslave", MS_SLAVE | MS_REC},
        {"shared", MS_SHARED},
        {"rshared", MS_SHARED | MS_REC},
        {"unbindable", MS_UNBINDABLE},
        {"runbindable", MS_UNBINDABLE | MS_REC},
    }};
    for (const Entry& entry : entries) {
        if (word == entry.word) {
            return entry.flags;
        }
    }
    return 0;
}

void require_root_path(const Inputs& inputs) {
    if (!inputs.config.root || inputs.config.root->path.empty()) {
        throw_error(ErrorKind::invalid_config, "/root/path: missing");
    }
}

std::string absolute_root(const Inputs& inputs) {
    const std::string& path = inputs.config.root->path;
    return path.starts_with('/') ? path : inputs.options.bundle + "/" + path;
}

} // namespace

MountStep make_mount_step(const Inputs& inputs, const LaunchPlan& plan, std::size_t index) {
    const spec::Mount& mount = inputs.config.mounts[index];
    std::string pointer = "/mounts/" + std::to_string(index);
    MountOptions options = spec::parse_mount_options(mount.options);
    options.bind = options.bind || mount.type == "bind";
    require_supported_options(mount, options, pointer);

    MountStep step;
    step.name = "mounts[" + std::to_string(index) + "]";
    step.destination = clean_absolute(mount.destination);
    if (step.destination == "/") {
        throw_error(ErrorKind::unsupported,
                    pointer +
                        "/destination: a mount over / is not supported: name it in /root/path");
    }
    step.attributes = {options.set_attributes, options.clear_attributes};
    step.recursive_attributes = {options.recursive_set, options.recursive_clear};
    step.propagation = options.propagation != 0 ? options.propagation : unsigned{MS_PRIVATE};
    step.propagation_recursive =
        options.propagation != 0 ? options.propagation_recursive : options.recursive_bind;
    if (options.bind) {
        step.what = make_bind(inputs, mount, options, pointer);
        return step;
    }
    NewFilesystem filesystem = make_filesystem(mount, options, pointer);
    step.no_symlinks = filesystem.type == "proc" || filesystem.type == "sysfs";
    if (plan.id_map.method != IdMapMethod::none) {
        require_mapped_gid(options, plan.id_map, pointer);
    }
    bool in_user_namespace =
        plan.user_namespace != UserNamespace::current || !inputs.facts.initial_user_namespace;
    if (in_user_namespace || filesystem.type == "cgroup2") {
        step.fallback = make_fallback(filesystem.type);
    }
    step.what = std::move(filesystem);
    // Without a cgroup namespace a new instance would show the host's whole hierarchy.
    if (mount.type == "cgroup" && !has_new(plan.namespaces, NamespaceKind::cgroup)) {
        step.recursive_attributes = step.attributes;
        step.attributes = {};
        step.what = BindMount{"/sys/fs/cgroup", true};
        step.fallback.reset();
    }
    return step;
}

RootfsPlan make_rootfs(const Inputs& inputs, LaunchPlan& plan) {
    require_root_path(inputs);
    RootfsPlan rootfs;
    rootfs.path = absolute_root(inputs);
    rootfs.readonly = inputs.config.root->readonly;
    rootfs.propagation = find_propagation(inputs.linux_.rootfs_propagation);
    rootfs.pivot = inputs.options.pivot;
    for (std::size_t i = 0; i < inputs.config.mounts.size(); ++i) {
        rootfs.mounts.push_back(make_mount_step(inputs, plan, i));
    }
    add_devices(inputs, plan, rootfs);
    rootfs.masked_paths = inputs.linux_.masked_paths;
    rootfs.readonly_paths = inputs.linux_.readonly_paths;
    rootfs.bind_console = inputs.config.process && inputs.config.process->terminal;
    return rootfs;
}

} // namespace coracle::plan
