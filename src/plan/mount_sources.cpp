#include "plan_private.h"

#include "coracle/spec/mount_options.h"

#include <algorithm>

namespace coracle::plan {

namespace {

MountSource make_source(const MountStep& step, const BindMount& bind, const spec::Mount& mount) {
    MountSource source;
    source.name = step.name + " " + step.destination;
    source.path = bind.source;
    source.recursive = bind.recursive;
    source.link = bind.link;
    std::string word = spec::parse_mount_options(mount.options).id_map;
    source.uids = make_id_mappings(mount.uid_mappings);
    source.gids = make_id_mappings(mount.gid_mappings);
    source.id_map = !source.uids.empty() ? MountIdMap::own
                    : !word.empty()      ? MountIdMap::container
                                         : MountIdMap::none;
    source.id_map_recursive = word == "ridmap";
    return source;
}

} // namespace

std::vector<MountSource> make_mount_sources(const Inputs& inputs, const LaunchPlan& plan,
                                            const RootfsPlan& rootfs) {
    std::vector<MountSource> sources;
    MountSource& root = sources.emplace_back();
    root.name = "root file system";
    root.path = rootfs.path;
    root.recursive = true;
    for (std::size_t i = 0; i < rootfs.mounts.size(); ++i) {
        if (const BindMount* bind = std::get_if<BindMount>(&rootfs.mounts[i].what)) {
            sources.push_back(make_source(rootfs.mounts[i], *bind, inputs.config.mounts[i]));
        }
    }
    bool maps_ids = std::any_of(sources.begin(), sources.end(), [](const MountSource& source) {
        return source.id_map != MountIdMap::none;
    });
    bool other_user = inputs.facts.privileged && plan.user_namespace != UserNamespace::current;
    if (!maps_ids && !other_user) {
        sources.clear();
    }
    return sources;
}

} // namespace coracle::plan
