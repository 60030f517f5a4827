#include "rootfs_private.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/sys/file.h"
#include "coracle/sys/mount.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/mount.h>

namespace coracle::rootfs {

namespace {

using sys::Fd;

/// The root as a mount of its own, on its own place, private: what is mounted inside is seen
/// nowhere else, and pivot_root(2) wants a mount.
Fd mount_root_on_itself(const std::string& path) {
    Fd place = sys::open_at(AT_FDCWD, path, O_PATH | O_DIRECTORY);
    Fd root = sys::clone_tree(place.get(), "", sys::TreeDepth::recursive);
    sys::set_attributes(root.get(), {0, 0, MS_PRIVATE}, sys::TreeDepth::recursive, path);
    sys::attach(root.get(), place.get(), path);
    return root;
}

} // namespace

Fd assemble(const plan::RootfsPlan& plan, std::vector<plan::Degradation>& degraded) {
    // Slave: nothing that is mounted here reaches the host, and a bind that asks for rslave still
    // follows it.
    sys::set_namespace_propagation(MS_SLAVE | MS_REC);
    Fd root = in_context([&] { return "root file system " + printable(plan.path); },
                         [&] { return mount_root_on_itself(plan.path); });
    MountedTrees trees(root.get());
    for (const plan::MountStep& step : plan.mounts) {
        in_context([&] { return step.name + " " + printable(step.destination); },
                   [&] { trees.add(plan, step, mount_step(root.get(), step, degraded)); });
    }
    for (const plan::DeviceStep& step : plan.devices) {
        make_device(root.get(), step);
    }
    for (const plan::SymlinkStep& step : plan.symlinks) {
        make_symlink(root.get(), step);
    }
    // Last, so that nothing of the config lies over them.
    trees.require_in_place(plan);
    make_paths_readonly(trees, plan.readonly_paths);
    mask_paths(trees, plan.masked_paths);
    return root;
}

void enter(const plan::RootfsPlan& plan, int root_fd) {
    if (plan.pivot) {
        sys::pivot_into(root_fd);
    } else {
        sys::move_into(root_fd);
    }
    if (plan.propagation != 0) {
        sys::set_namespace_propagation(plan.propagation);
    }
}

void bind_console(int root_fd, int peer) {
    constexpr const char* path = "/dev/console";
    Fd tree = sys::clone_tree(peer, "", sys::TreeDepth::single);
    sys::Parent parent = sys::open_parent_in_root(root_fd, path);
    Fd target = make_device_target(parent, path);
    sys::attach(tree.get(), target.get(), path);
}

void finish(const plan::RootfsPlan& plan, int root_fd) {
    if (plan.readonly) {
        sys::set_attributes(root_fd, {MOUNT_ATTR_RDONLY, 0, 0}, sys::TreeDepth::single, "/");
    }
}

} // namespace coracle::rootfs
