#pragma once

#include "coracle/spec/config.h"

#include <map>
#include <string>
#include <vector>

namespace coracle::sandbox {

/// Who put a mount there.
enum class Author {
    frame, ///< /proc and the like, which every sandbox has
    veil,  ///< hides something of the host, or shows the working directory
    user,
};

/// The mounts of a sandbox by their places: parents before what is in them, one a place.
class MountList {
  public:
    /// A user's mount takes the place of another author's, and of the veils below it.
    /// Throws: usage, if the user has given the place twice.
    void add(Author author, spec::Mount mount);

    [[nodiscard]] std::vector<spec::Mount> take() const;
    /// The writable places, for Landlock.
    [[nodiscard]] std::vector<std::string> writable_places() const;

  private:
    struct Entry {
        Author author{};
        spec::Mount mount;
    };
    struct ByComponents {
        bool operator()(const std::string& first, const std::string& second) const;
    };
    std::map<std::string, Entry, ByComponents> entries_;
};

/// Whether `path` is `directory`, or below it. Both absolute and clean.
[[nodiscard]] bool is_in(const std::string& path, const std::string& directory);

} // namespace coracle::sandbox
