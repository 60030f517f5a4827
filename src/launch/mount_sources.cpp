#include "mount_sources_private.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/sys/file.h"
#include "coracle/sys/mount.h"
#include "coracle/sys/namespace.h"
#include "coracle/sys/process.h"
#include "coracle/sys/procfs.h"
#include "id_map_private.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <utility>

namespace coracle::launch {

namespace {

using sys::Fd;

/// This process in the mount namespace and root of another, until it is left again.
class VisitedMounts {
  public:
    VisitedMounts(int proc_fd, pid_t visited)
        : own_namespace_(open_namespace(proc_fd, "self/ns/mnt")),
          own_root_(sys::open_at(AT_FDCWD, "/", O_PATH | O_DIRECTORY)),
          own_directory_(sys::open_at(AT_FDCWD, ".", O_PATH | O_DIRECTORY)) {
        Fd root = sys::open_at(proc_fd, sys::proc_path(visited, "root"), O_PATH | O_DIRECTORY);
        Fd space = open_namespace(proc_fd, sys::proc_path(visited, "ns/mnt"));
        sys::join_namespace(space.get(), NamespaceKind::mount);
        inside_ = true;
        sys::change_root(root.get());
    }
    VisitedMounts(const VisitedMounts&) = delete;
    VisitedMounts& operator=(const VisitedMounts&) = delete;
    VisitedMounts(VisitedMounts&&) = delete;
    VisitedMounts& operator=(VisitedMounts&&) = delete;
    ~VisitedMounts() {
        try {
            leave();
        } catch (const std::exception&) { // catch: an error is on its way already
        }
    }

    /// Throws: system; the process is of no use for anything else then.
    void leave() {
        if (!std::exchange(inside_, false)) {
            return;
        }
        sys::join_namespace(own_namespace_.get(), NamespaceKind::mount);
        sys::change_root(own_root_.get());
        sys::change_directory(own_directory_.get());
    }

  private:
    static Fd open_namespace(int proc_fd, const std::string& path) {
        return sys::open_at(proc_fd, path, O_RDONLY);
    }

    Fd own_namespace_;
    Fd own_root_;
    Fd own_directory_;
    bool inside_ = false;
};

/// A user namespace with these maps and nobody in it.
Fd make_user_namespace(const plan::MountSource& source, int proc_fd) {
    pid_t holder = sys::clone_into_user_namespace();
    if (holder == 0) {
        run_user_namespace_holder();
    }
    Fd space;
    try {
        plan::IdMapPlan map;
        map.method = plan::IdMapMethod::write_map;
        map.uids = source.uids;
        map.gids = source.gids;
        write_id_maps(map, proc_fd, holder);
        space = sys::open_at(proc_fd, sys::proc_path(holder, "ns/user"), O_RDONLY);
    } catch (const std::exception&) { // catch: ends the holder, rethrows
        (void)::kill(holder, SIGKILL);
        (void)sys::wait_for_child(holder);
        throw;
    }
    (void)::kill(holder, SIGKILL);
    (void)sys::wait_for_child(holder);
    return space;
}

bool is_same_map(const std::vector<plan::IdMapping>& a, const std::vector<plan::IdMapping>& b) {
    return make_map_text(a) == make_map_text(b);
}

/// The user namespaces that mounts are mapped by; mounts with the same maps share one.
class MappingNamespaces {
  public:
    MappingNamespaces(const plan::LaunchPlan& plan, int proc_fd, pid_t init) {
        for (const plan::MountSource& source : plan.mount_sources) {
            if (source.id_map == plan::MountIdMap::container && !container_) {
                container_ = sys::open_at(proc_fd, sys::proc_path(init, "ns/user"), O_RDONLY);
            } else if (source.id_map == plan::MountIdMap::own && find(source) < 0) {
                in_context([&] { return source.name + ": idmap"; },
                           [&] {
                               made_.push_back({&source, make_user_namespace(source, proc_fd)});
                           });
            }
        }
    }
    [[nodiscard]] int of(const plan::MountSource& source) const {
        return source.id_map == plan::MountIdMap::container ? container_.get() : find(source);
    }

  private:
    struct Made {
        const plan::MountSource* like;
        Fd space;
    };
    [[nodiscard]] int find(const plan::MountSource& source) const {
        for (const Made& made : made_) {
            if (is_same_map(made.like->uids, source.uids) &&
                is_same_map(made.like->gids, source.gids)) {
                return made.space.get();
            }
        }
        return -1;
    }

    Fd container_;
    std::vector<Made> made_;
};

void map_ids(int tree, int user_namespace, const plan::MountSource& source) {
    int errnum = sys::try_map_ids(tree, user_namespace,
                                  source.id_map_recursive ? sys::TreeDepth::recursive
                                                          : sys::TreeDepth::single);
    if (errnum == 0) {
        return;
    }
    const char* cause = errnum == EPERM ? " (the filesystem was mounted in a user namespace that "
                                          "the caller has no privilege over)"
                        : errnum == EINVAL
                            ? " (this filesystem cannot be id-mapped by this kernel, or it is so "
                              "already)"
                            : "";
    throw_system(errnum, "idmap of " + printable(source.path) + cause);
}

/// The tree, or the link that init makes anew.
Fd open_source(const plan::MountSource& source, const MappingNamespaces& spaces) {
    Fd tree;
    int errnum = sys::try_open_source(
        source.path, source.recursive ? sys::TreeDepth::recursive : sys::TreeDepth::single,
        source.link, tree);
    if (errnum != 0) {
        throw_system(errnum, "source " + printable(source.path) +
                                 (errnum == EINVAL && !source.recursive
                                      ? " (mounts below it are locked in a user namespace: use "
                                        "rbind)"
                                      : ""));
    }
    bool copied = source.link == SourceLink::copy && sys::is_symlink(tree.get());
    if (source.id_map != plan::MountIdMap::none && !copied) {
        map_ids(tree.get(), spaces.of(source), source);
    }
    return tree;
}

void require_no_id_map(const std::vector<plan::MountSource>& sources) {
    for (const plan::MountSource& source : sources) {
        if (source.id_map != plan::MountIdMap::none) {
            throw_error(ErrorKind::unsupported,
                        source.name + ": idmap needs open_tree(2) and mount_setattr(2), which this "
                                      "kernel or a seccomp profile refuses");
        }
    }
}

} // namespace

std::vector<Fd> open_mount_sources(const plan::LaunchPlan& plan, int proc_fd, pid_t init) {
    std::vector<Fd> trees;
    if (plan.mount_sources.empty()) {
        return trees;
    }
    if (!sys::has_detached_mounts()) {
        require_no_id_map(plan.mount_sources);
        return trees;
    }
    sys::allow_open_files(plan.mount_sources.size());
    MappingNamespaces spaces(plan, proc_fd, init);
    VisitedMounts visit(proc_fd, init);
    for (const plan::MountSource& source : plan.mount_sources) {
        in_context([&] { return source.name; },
                   [&] { trees.push_back(open_source(source, spaces)); });
    }
    visit.leave();
    return trees;
}

} // namespace coracle::launch
