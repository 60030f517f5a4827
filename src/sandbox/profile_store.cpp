#include "profile_private.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/host/detect.h"
#include "coracle/sys/directory.h"
#include "coracle/sys/file.h"
#include "host_view_private.h"
#include "nearest_private.h"
#include "yaml_private.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <map>
#include <set>
#include <sys/stat.h>

namespace coracle::sandbox {

namespace {

constexpr std::string_view suffix = ".yaml";
constexpr std::size_t longest_name = 64;

bool is_profile_name(std::string_view name) {
    constexpr std::string_view letters =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    return !name.empty() && name.size() <= longest_name &&
           letters.find(name.front()) != std::string_view::npos &&
           std::ranges::all_of(name, [&](char c) {
               return letters.find(c) != std::string_view::npos || c == '.' || c == '_' || c == '-';
           });
}

/// The host's root, as it is seen here: in a user namespace without it, what is not mapped. Who
/// made that namespace could have chosen the files as well.
bool is_root(uid_t uid) {
    constexpr uid_t overflow = 65534; // user_namespaces(7), Unmapped user and group IDs
    return uid == 0 ||
           (uid == overflow &&
            sys::stat_of(sys::open_at(AT_FDCWD, "/", O_PATH).get(), "/").st_uid == overflow);
}

void require_owned(const struct stat& status, const std::string& path, ProfileOwner owner) {
    const bool own = owner == ProfileOwner::caller && status.st_uid == host::effective_uid();
    if (!own && !is_root(status.st_uid)) {
        throw_error(ErrorKind::denied,
                    printable(path) + ": it belongs to uid " + std::to_string(status.st_uid) +
                        ", who could weaken the sandbox: it must be " +
                        (owner == ProfileOwner::system ? "root's" : "yours or root's"));
    }
    // In a directory where nobody moves what is not theirs, the entry's own owner counts.
    const bool sticky = S_ISDIR(status.st_mode) && (status.st_mode & S_ISVTX) != 0;
    if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0 && !sticky) {
        throw_error(ErrorKind::denied, printable(path) +
                                           ": others may write to it, and could weaken the "
                                           "sandbox: chmod go-w " +
                                           printable(path));
    }
}

std::string parent_of(const std::string& path) {
    return path.substr(0, std::max<std::size_t>(path.rfind('/'), 1));
}

/// The file, and the directories that it is really in: of the system all, of the caller one.
void require_trusted(int fd, const struct stat& status, const std::string& path,
                     ProfileOwner owner) {
    if (owner == ProfileOwner::anybody) {
        return;
    }
    require_owned(status, path, owner);
    std::string directory = sys::read_link(AT_FDCWD, "/proc/self/fd/" + std::to_string(fd));
    do {
        directory = parent_of(directory);
        sys::Fd open = sys::open_at(AT_FDCWD, directory, O_PATH | O_DIRECTORY);
        require_owned(sys::stat_of(open.get(), directory), directory, owner);
    } while (owner == ProfileOwner::system && directory != "/");
}

ProfileFile read_open_file(const sys::Fd& file, const std::string& path, ProfileOwner owner) {
    const struct stat status = sys::stat_of(file.get(), path);
    if (!S_ISREG(status.st_mode)) {
        throw_error(ErrorKind::usage, printable(path) + ": not a regular file");
    }
    require_trusted(file.get(), status, path, owner);
    ProfileFile result;
    result.path = path;
    result.directory = parent_of(path);
    result.owner = owner;
    result.text = in_context([&] { return printable(path); },
                             [&] {
                                 sys::Fd readable = sys::reopen_readonly(file.get());
                                 return sys::read_all(readable.get(), max_yaml_bytes, path);
                             });
    result.device = status.st_dev;
    result.inode = status.st_ino;
    return result;
}

std::string describe_places(const std::vector<ProfilePlace>& places, std::size_t first) {
    std::string text;
    for (std::size_t i = first; i < places.size(); ++i) {
        text += (text.empty() ? "" : ", ") + printable(places[i].directory);
    }
    return text;
}

} // namespace

std::vector<ProfilePlace> profile_places() {
    std::vector<ProfilePlace> places;
    std::string config = find_variable("XDG_CONFIG_HOME").value_or("");
    if (!config.starts_with('/')) { // the XDG specification: a relative one is to be ignored
        std::string home = home_directory();
        config = home.empty() ? home : home + "/.config";
    }
    if (!config.empty()) {
        places.push_back({clean_absolute(config + "/coracle/profiles"), ProfileOwner::caller});
    }
    places.push_back({"/etc/coracle/profiles", ProfileOwner::system});
    places.push_back({CORACLE_DATADIR "/coracle/profiles", ProfileOwner::system});
    return places;
}

bool is_profile_path(const std::string& reference) noexcept {
    return reference.find('/') != std::string::npos || reference.ends_with(".yaml") ||
           reference.ends_with(".yml");
}

ProfileFile open_profile_file(const std::string& path, ProfileOwner owner) {
    // A device or FIFO is not opened before it is known what it is.
    return read_open_file(sys::open_at(AT_FDCWD, path, O_PATH), path, owner);
}

std::vector<NamedPlace> find_profile_names(const std::vector<ProfilePlace>& places) {
    std::map<std::string, std::size_t> found;
    for (std::size_t i = 0; i < places.size(); ++i) {
        sys::Fd directory;
        if (sys::try_open_at(AT_FDCWD, places[i].directory, O_RDONLY | O_DIRECTORY, 0, directory) !=
            0) {
            continue;
        }
        for (const std::string& entry : sys::list_directory(directory.get())) {
            std::string name =
                entry.substr(0, entry.size() - std::min(entry.size(), suffix.size()));
            if (entry.ends_with(suffix) && is_profile_name(name)) {
                found.emplace(name, i);
            }
        }
    }
    std::vector<NamedPlace> names;
    for (const auto& [name, place] : found) {
        names.push_back({name, place});
    }
    return names;
}

ProfileFile open_named_profile(const std::string& name, const std::vector<ProfilePlace>& places,
                               std::size_t first) {
    if (!is_profile_name(name)) {
        throw_error(ErrorKind::usage,
                    printable(name) + ": not the name of a profile: up to 64 letters, digits, '.', "
                                      "'_' and '-', the first a letter or digit; a path has a '/'");
    }
    for (std::size_t i = first; i < places.size(); ++i) {
        std::string path = places[i].directory + "/" + name + std::string(suffix);
        sys::Fd file;
        int errnum = sys::try_open_at(AT_FDCWD, path, O_PATH, 0, file);
        if (errnum == 0) {
            ProfileFile result = read_open_file(file, path, places[i].owner);
            result.name = name;
            result.place = i;
            return result;
        }
        if (errnum != ENOENT && errnum != ENOTDIR) {
            throw_system(errnum, printable(path));
        }
    }
    std::set<std::string> known;
    for (const NamedPlace& found : find_profile_names(places)) {
        known.insert(found.name);
    }
    std::string nearest = first == 0 ? find_nearest(name, known) : "";
    throw_error(ErrorKind::usage, "no profile " + name + " in " + describe_places(places, first) +
                                      (nearest.empty() ? "" : ": did you mean " + nearest + "?"));
}

} // namespace coracle::sandbox
