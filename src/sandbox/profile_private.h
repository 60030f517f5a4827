#pragma once

#include "coracle/sandbox/profile.h"
#include "coracle/sys/fd.h"

#include <cstdint>
#include <string>
#include <vector>

/// The parts of read_profile.
namespace coracle::sandbox {

/// One file, with nothing of what it extends.
struct ProfileText {
    std::string description;
    std::vector<Said> bases;
    Statements statements;
};
/// What is wrong is added to `problems`. `name` is of the file, for messages; relative paths are
/// below `directory`. Pure.
[[nodiscard]] ProfileText parse_profile(const std::string& text, const std::string& name,
                                        const std::string& directory,
                                        std::vector<std::string>& problems);

/// A profile's file, found, checked and read.
struct ProfileFile {
    std::string path;      ///< as it was found
    std::string directory; ///< absolute
    std::string name;      ///< empty: the caller has named the path
    std::size_t place = 0; ///< that it was found in
    ProfileOwner owner{};
    std::string text;
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
};

[[nodiscard]] bool is_profile_path(const std::string& reference) noexcept;

/// The first of `places` from `first` on that has the name. Throws: usage; denied; system.
[[nodiscard]] ProfileFile open_named_profile(const std::string& name,
                                             const std::vector<ProfilePlace>& places,
                                             std::size_t first);
/// Throws: usage, if it is not a regular file; denied; system.
[[nodiscard]] ProfileFile open_profile_file(const std::string& path, ProfileOwner owner);
/// Names with the first place that has each, sorted.
struct NamedPlace {
    std::string name;
    std::size_t place = 0;
};
[[nodiscard]] std::vector<NamedPlace> find_profile_names(const std::vector<ProfilePlace>& places);

} // namespace coracle::sandbox
