#pragma once

#include "coracle/sandbox/options.h"
#include "coracle/sandbox/settings.h"
#include "coracle/spec/reports.h"

#include <cstddef>
#include <string>
#include <vector>

/// What is said of a sandbox before it is made so: by the command line and by YAML profiles, one
/// laid over the other.
namespace coracle::sandbox {

struct Said {
    std::string value;
    std::string where; ///< for messages: "--memory", "FILE:3:9: memory"
};

struct Statements {
    std::vector<std::vector<Said>> values; ///< of each setting, in the order of settings()
    std::vector<std::size_t> reset;        ///< settings of which what is below is forgotten

    Statements() : values(settings().size()) {}
};

/// The place of the setting in settings(). Throws: usage, naming the nearest.
[[nodiscard]] std::size_t setting_index(const std::string& name);

/// `above` counts: it takes away what it resets, its values replace those of one value, its lists
/// come behind, and what it puts at a place takes the place of what is below.
void lay_over(Statements& below, const Statements& above, const Origin& origin);

/// Makes it so. Throws: usage, system, with where it was said.
void apply(const Statements& statements, const Origin& origin, Options& options);

/// Whose a profile must be, so that nobody else can weaken the sandbox.
enum class ProfileOwner {
    anybody, ///< the caller has named the file
    caller,  ///< the caller's or root's
    system,  ///< root's, with all its directories
};

struct ProfilePlace {
    std::string directory;
    ProfileOwner owner{};
};
/// Where names are looked up, the first counts: the caller's configuration, /etc, the installation.
[[nodiscard]] std::vector<ProfilePlace> profile_places();

/// What is found of a profile: its own text and all that it extends.
struct Profile {
    std::string description;
    Statements statements;
    std::vector<std::string> problems; ///< "FILE:LINE:COLUMN: what", in their order
};

/// The profile that `reference` is: a path, if it has a '/' or ends in .yaml or .yml, else a name.
/// All that is wrong with its text is in `problems`. Relative paths are absolute. Runs in: parent.
/// Throws: usage, if there is none of that name; denied; system.
[[nodiscard]] Profile read_profile(const std::string& reference,
                                   const std::vector<ProfilePlace>& places, const Origin& origin);
/// The same. Throws: invalid_config too, the first problem.
[[nodiscard]] Statements load_profile(const std::string& reference,
                                      const std::vector<ProfilePlace>& places,
                                      const Origin& origin);

/// Every problem of a profile, those of its values as on this host included. Throws: as
/// read_profile.
[[nodiscard]] std::vector<std::string> check_profile(const std::string& reference,
                                                     const std::vector<ProfilePlace>& places,
                                                     const Origin& origin);

/// Those that a name leads to, sorted by name.
[[nodiscard]] std::vector<spec::ListedProfile>
list_profiles(const std::vector<ProfilePlace>& places, const Origin& origin);

/// A profile as text that read_profile takes as the same.
[[nodiscard]] std::string write_profile(const Profile& profile);

/// The JSON schema of profiles, for editors. Source: json-schema.org, draft 7.
[[nodiscard]] std::string write_profile_schema();

} // namespace coracle::sandbox
