#include "mount_tree_private.h"

#include "coracle/sys/file.h"
#include "coracle/sys/mount.h"
#include "coracle/sys/mountinfo.h"
#include "coracle/sys/rooted_path.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <map>
#include <string>
#include <vector>

namespace coracle::sys {

namespace {

using Mounts = std::map<std::uint64_t, MountLine>;

Mounts read_mounts() {
    Fd file = open_at(AT_FDCWD, "/proc/self/mountinfo", O_RDONLY);
    Mounts mounts;
    for (MountLine& line :
         parse_mountinfo(read_all(file.get(), std::size_t{64} << 20, "/proc/self/mountinfo"))) {
        std::uint64_t id = line.id;
        mounts.emplace(id, std::move(line));
    }
    return mounts;
}

bool covers(const MountLine& upper, const MountLine& lower) {
    return upper.parent == lower.id && upper.point == lower.point;
}

bool is_covered(const Mounts& mounts, const MountLine& line) {
    return std::any_of(mounts.begin(), mounts.end(),
                       [&](const auto& entry) { return covers(entry.second, line); });
}

/// The mounts from `line` up to below the one called `top`; none if that is not above it.
std::vector<const MountLine*> chain_of(const Mounts& mounts, const MountLine& line,
                                       std::uint64_t top) {
    std::vector<const MountLine*> chain;
    for (const MountLine* at = &line; at->id != top;) {
        chain.push_back(at);
        auto parent = mounts.find(at->parent);
        if (parent == mounts.end() || at->parent == at->id) {
            return {};
        }
        at = &parent->second;
    }
    return chain;
}

/// Whether another mount lies over `chain.front()` or over one that it is reached through.
bool is_hidden(const Mounts& mounts, const std::vector<const MountLine*>& chain) {
    for (std::size_t i = 0; i < chain.size(); ++i) {
        bool is_the_cover = i > 0 && covers(*chain[i - 1], *chain[i]);
        if (!is_the_cover && is_covered(mounts, *chain[i])) {
            return true;
        }
    }
    return false;
}

/// The errno, or 0 with an O_PATH fd of the mount with that id.
int open_mount(int fd, const std::string& place, std::uint64_t id, Fd& mount) {
    int errnum = try_open_in_root(fd, place, O_PATH, Symlinks::refuse, mount);
    return errnum == 0 && mount_id_of(mount.get()) != id ? EAGAIN : errnum;
}

} // namespace

int for_each_mount_below(int fd, const std::function<int(int)>& act, TreeWalk& walk) {
    Mounts mounts = read_mounts();
    auto top = mounts.find(mount_id_of(fd));
    if (top == mounts.end()) {
        return EAGAIN;
    }
    std::vector<std::pair<std::size_t, const MountLine*>> below; // with its depth
    for (const auto& [id, line] : mounts) {
        std::vector<const MountLine*> chain = chain_of(mounts, line, top->first);
        if (!chain.empty() && !is_hidden(mounts, chain)) {
            below.emplace_back(chain.size(), &line);
        }
    }
    std::sort(below.begin(), below.end(),
              [](const auto& one, const auto& two) { return one.first > two.first; });
    for (const auto& [depth, line] : below) {
        std::size_t prefix = top->second.point == "/" ? 0 : top->second.point.size();
        std::string place = line->point.substr(prefix);
        Fd mount;
        int errnum = open_mount(fd, place, line->id, mount);
        if (errnum == EACCES && walk.unreachable == Unreachable::left_out) {
            walk.left_out.push_back(std::move(place));
            continue;
        }
        errnum = errnum != 0 ? errnum : act(mount.get());
        if (errnum != 0) {
            walk.failed = std::move(place);
            return errnum;
        }
    }
    return 0;
}

} // namespace coracle::sys
