#include "plan_private.h"

#include "coracle/base/error.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <sys/mount.h>

namespace coracle::plan {

namespace {

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

bool is_below(std::string_view path, const std::string& directory) {
    return path.size() > directory.size() && path.starts_with(directory) &&
           path[directory.size()] == '/';
}

/// Whether a later step of the plan makes something below mount `index`.
bool is_filled_later(const Inputs& inputs, const RootfsPlan& rootfs, std::size_t index) {
    const std::string& directory = rootfs.mounts[index].destination;
    const auto is_in_it = [&](const auto& path) { return is_below(path, directory); };
    bool has_terminal = inputs.config.process && inputs.config.process->terminal;
    if (has_terminal && is_in_it(std::string_view("/dev/console"))) {
        return true;
    }
    for (std::size_t i = index + 1; i < rootfs.mounts.size(); ++i) {
        if (is_in_it(rootfs.mounts[i].destination)) {
            return true;
        }
    }
    return std::any_of(rootfs.devices.begin(), rootfs.devices.end(),
                       [&](const DeviceStep& step) { return is_in_it(step.path); }) ||
           std::any_of(rootfs.symlinks.begin(), rootfs.symlinks.end(),
                       [&](const SymlinkStep& step) { return is_in_it(step.path); });
}

/// A read-only /dev is filled first, and so is every tmpfs that others are mounted in.
void delay_read_only(const Inputs& inputs, RootfsPlan& rootfs) {
    for (std::size_t i = 0; i < rootfs.mounts.size(); ++i) {
        MountStep& step = rootfs.mounts[i];
        const NewFilesystem* filesystem = std::get_if<NewFilesystem>(&step.what);
        bool is_empty =
            filesystem != nullptr && (filesystem->type == "tmpfs" || filesystem->type == "ramfs");
        if (is_empty && (step.attributes.set & MOUNT_ATTR_RDONLY) != 0 &&
            is_filled_later(inputs, rootfs, i)) {
            step.read_only_last = true;
            step.attributes.set &= ~std::uint64_t{MOUNT_ATTR_RDONLY};
        }
    }
}

} // namespace

RootfsPlan make_rootfs(const Inputs& inputs, LaunchPlan& plan) {
    require_root_path(inputs);
    if (!inputs.linux_.mount_label.empty()) {
        require_selinux(inputs, "/linux/mountLabel", inputs.linux_.mount_label);
    }
    RootfsPlan rootfs;
    rootfs.path = absolute_root(inputs);
    rootfs.readonly = inputs.config.root->readonly;
    rootfs.propagation = find_propagation(inputs.linux_.rootfs_propagation);
    rootfs.pivot = inputs.options.pivot;
    for (std::size_t i = 0; i < inputs.config.mounts.size(); ++i) {
        rootfs.mounts.push_back(make_mount_step(inputs, plan, rootfs, i));
    }
    add_devices(inputs, plan, rootfs);
    delay_read_only(inputs, rootfs);
    plan.mount_sources = make_mount_sources(inputs, plan, rootfs);
    rootfs.sources_given = !plan.mount_sources.empty();
    rootfs.masked_paths = inputs.linux_.masked_paths;
    rootfs.readonly_paths = inputs.linux_.readonly_paths;
    return rootfs;
}

} // namespace coracle::plan
