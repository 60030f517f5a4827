#include "mount_list_private.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"

#include <algorithm>

namespace coracle::sandbox {

bool is_in(const std::string& path, const std::string& directory) {
    return directory == "/" || path == directory ||
           (path.size() > directory.size() && path.starts_with(directory) &&
            path[directory.size()] == '/');
}

/// As text, with '/' before every other byte: then what is in a directory follows it at once.
bool MountList::ByComponents::operator()(const std::string& first,
                                         const std::string& second) const {
    return std::ranges::lexicographical_compare(first, second, [](char left, char right) {
        return static_cast<unsigned char>(left == '/' ? 0 : left) <
               static_cast<unsigned char>(right == '/' ? 0 : right);
    });
}

void MountList::add(Author author, spec::Mount mount) {
    std::string place = mount.destination;
    auto found = entries_.find(place);
    if (found != entries_.end() && found->second.author == Author::user) {
        if (author == Author::user) {
            throw_error(ErrorKind::usage,
                        printable(place) + ": two options put something there: drop one");
        }
        return;
    }
    bool covered = author == Author::veil && std::ranges::any_of(entries_, [&](const auto& entry) {
                       return entry.second.author == Author::user && is_in(place, entry.first);
                   });
    if (covered) {
        return;
    }
    if (author == Author::user) {
        std::erase_if(entries_, [&](const auto& entry) {
            return entry.second.author == Author::veil && is_in(entry.first, place);
        });
    }
    entries_[place] = {author, std::move(mount)};
}

std::vector<spec::Mount> MountList::take() const {
    std::vector<spec::Mount> mounts;
    for (const auto& [place, entry] : entries_) {
        mounts.push_back(entry.mount);
    }
    return mounts;
}

std::vector<std::string> MountList::writable_places() const {
    std::vector<std::string> places;
    for (const auto& [place, entry] : entries_) {
        const std::vector<std::string>& options = entry.mount.options;
        bool read_only = std::ranges::find(options, "ro") != options.end() ||
                         std::ranges::find(options, "rro") != options.end();
        if (!read_only) {
            places.push_back(place);
        }
    }
    return places;
}

} // namespace coracle::sandbox
