#include "rootfs_private.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/sys/file.h"
#include "coracle/sys/mount.h"
#include "coracle/sys/pivot.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/mount.h>

namespace coracle::rootfs {

namespace {

using sys::Fd;

/// The root as a mount of its own, on its own place, so that what is mounted inside is seen
/// nowhere else, and pivot_root(2) has a mount. It is private, or a slave of the host's; "shared"
/// comes last.
Fd mount_root_on_itself(const plan::RootfsPlan& plan, Fd given) {
    const std::string& path = plan.path;
    Fd place;
    int errnum = sys::try_open_at(AT_FDCWD, path, O_PATH | O_DIRECTORY, 0, place);
    if (errnum == EACCES && given && plan.pivot) {
        // The parent could reach it and this process cannot: any place does until pivot.
        errnum = sys::try_open_at(AT_FDCWD, "/", O_PATH | O_DIRECTORY, 0, place);
    }
    if (errnum != 0) {
        throw_system(errnum, "open " + printable(path));
    }
    Fd root =
        given ? std::move(given) : sys::clone_tree(place.get(), "", sys::TreeDepth::recursive);
    if ((plan.propagation & MS_SLAVE) == 0) {
        sys::set_attributes(root.get(), {0, 0, MS_PRIVATE}, sys::TreeDepth::recursive, path);
    }
    if ((plan.propagation & MS_SHARED) != 0 && (plan.propagation & MS_REC) != 0) {
        sys::set_attributes(root.get(), {0, 0, MS_SHARED}, sys::TreeDepth::recursive, path);
        sys::set_attributes(root.get(), {0, 0, MS_PRIVATE}, sys::TreeDepth::single, path);
    }
    sys::attach(root.get(), place.get(), path);
    return root;
}

/// The binds that stay in the peer groups of the host are cloned while its mounts still are in
/// theirs.
std::vector<Fd> clone_peers(const plan::RootfsPlan& plan,
                            std::vector<plan::Degradation>& degraded) {
    std::vector<Fd> early(plan.mounts.size());
    for (std::size_t i = 0; i < plan.mounts.size(); ++i) {
        const plan::BindMount* bind = std::get_if<plan::BindMount>(&plan.mounts[i].what);
        if (bind != nullptr && bind->with_host_peers && !plan.sources_given) {
            in_context([&] { return plan.mounts[i].name; }, [&] { early[i] = open_source(*bind); });
            if (!sys::has_detached_mounts()) { // it becomes a slave with all that is attached
                degraded.push_back({plan.mounts[i].name + " " + plan.mounts[i].destination,
                                    "what the container mounts there is not seen on the host: that "
                                    "needs the mount API and mount_setattr(2), Linux >= 5.12"});
            }
        }
    }
    return early;
}

bool has_shared(const plan::RootfsPlan& plan) {
    return (plan.propagation & MS_SHARED) != 0 ||
           std::any_of(plan.mounts.begin(), plan.mounts.end(),
                       [](const plan::MountStep& step) { return step.propagation == MS_SHARED; });
}

} // namespace

Assembled assemble(const plan::RootfsPlan& plan, const Callbacks& callbacks,
                   std::vector<plan::Degradation>& degraded) {
    std::vector<Fd> early = clone_peers(plan, degraded);
    // Slave: nothing that is mounted here reaches the host, and a bind that asks for rslave still
    // follows it.
    sys::set_namespace_propagation(MS_SLAVE | MS_REC);
    Assembled assembled;
    assembled.root =
        in_context([&] { return "root file system " + printable(plan.path); },
                   [&] { return mount_root_on_itself(plan, callbacks.next_source()); });
    int root = assembled.root.get();
    MountedTrees trees(root);
    Assembly assembly{plan, root, early, callbacks, degraded, has_shared(plan)};
    for (std::size_t i = 0; i < plan.mounts.size(); ++i) {
        const plan::MountStep& step = plan.mounts[i];
        if (step.shows_cgroups) {
            callbacks.enter_cgroup_namespace();
        }
        in_context([&] { return step.name + " " + printable(step.destination); },
                   [&] {
                       Fd tree = mount_step(assembly, i);
                       if (step.read_only_last) {
                           assembled.read_only_last.push_back(sys::duplicate(tree.get()));
                       }
                       trees.add(plan, step, std::move(tree));
                   });
    }
    ParentOfLast parents(root);
    for (const plan::DeviceStep& step : plan.devices) {
        make_device(parents, step);
    }
    for (const plan::SymlinkStep& step : plan.symlinks) {
        make_symlink(parents, step);
    }
    // Last, so that nothing of the config lies over them.
    trees.require_in_place(plan);
    make_paths_readonly(trees, plan.readonly_paths);
    mask_paths(trees, plan.masked_paths);
    return assembled;
}

void enter(const plan::RootfsPlan& plan, int root_fd) {
    if (plan.pivot) {
        sys::pivot_into(root_fd);
    } else {
        sys::move_into(root_fd);
    }
    if ((plan.propagation & MS_UNBINDABLE) != 0) {
        sys::set_namespace_propagation(plan.propagation);
    } else if ((plan.propagation & MS_SHARED) != 0) {
        // Of the root alone: each mount has its own by now.
        sys::set_namespace_propagation(MS_SHARED);
    }
}

void bind_console(int root_fd, int peer) {
    constexpr const char* path = "/dev/console";
    Fd tree = sys::clone_tree(peer, "", sys::TreeDepth::single);
    sys::Parent parent = sys::open_parent_in_root(root_fd, path);
    Fd target = make_device_target(parent, path);
    sys::attach(tree.get(), target.get(), path);
}

void finish(const plan::RootfsPlan& plan, const Assembled& assembled) {
    constexpr sys::AttributeRequest read_only{MOUNT_ATTR_RDONLY, 0, 0};
    for (const Fd& tree : assembled.read_only_last) {
        sys::set_attributes(tree.get(), read_only, sys::TreeDepth::single, "a tmpfs");
    }
    if (plan.readonly) {
        sys::set_attributes(assembled.root.get(), read_only, sys::TreeDepth::single, "/");
    }
}

} // namespace coracle::rootfs
