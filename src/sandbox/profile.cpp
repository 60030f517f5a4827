#include "profile_private.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "settings_private.h"

#include <algorithm>

namespace coracle::sandbox {

namespace {

constexpr std::size_t max_files = 64; ///< of one profile with all that it extends

/// Reads a profile after those that it extends.
class Loader {
  public:
    Loader(const std::vector<ProfilePlace>& places, const Origin& origin)
        : places_(places), origin_(origin) {}

    Profile take() { return std::move(result_); }

    /// What the file says is laid over `below`.
    void read(const ProfileFile& file, Statements& below) {
        chain_.push_back(&file);
        ++files_;
        ProfileText text = parse_profile(file.text, file.path, file.directory, result_.problems);
        for (const Said& base : text.bases) {
            Statements extended;
            read_base(base, file, extended);
            lay_over(below, extended, origin_);
        }
        lay_over(below, text.statements, origin_);
        result_.description = std::move(text.description);
        chain_.pop_back();
    }

    void read_top(const ProfileFile& file) { read(file, result_.statements); }

  private:
    void read_base(const Said& base, const ProfileFile& from, Statements& extended) {
        try {
            if (files_ >= max_files) {
                throw_error(ErrorKind::invalid_config,
                            "more than " + std::to_string(max_files) + " files in one profile");
            }
            const ProfileFile file = open_base(base.value, from);
            require_no_circle(file);
            read(file, extended);
        } catch (const Error& error) { // catch: one problem among others
            result_.problems.push_back(base.where + ": extends: " + error.text());
        }
    }

    [[nodiscard]] ProfileFile open_base(const std::string& reference,
                                        const ProfileFile& from) const {
        if (!is_profile_path(reference)) {
            // A profile that extends its own name means the one that it hides.
            return open_named_profile(reference, places_,
                                      reference == from.name ? from.place + 1 : 0);
        }
        return open_profile_file(resolve(reference, {from.directory, origin_.home}), from.owner);
    }

    void require_no_circle(const ProfileFile& file) const {
        auto is_same = [&](const ProfileFile* other) {
            return other->device == file.device && other->inode == file.inode;
        };
        auto first = std::find_if(chain_.begin(), chain_.end(), is_same);
        if (first == chain_.end()) {
            return;
        }
        std::string text;
        for (auto link = first; link != chain_.end(); ++link) {
            text += printable((*link)->path) + " -> ";
        }
        throw_error(ErrorKind::invalid_config, "a circle: " + text + printable(file.path));
    }

    const std::vector<ProfilePlace>& places_;
    const Origin& origin_;
    std::vector<const ProfileFile*> chain_;
    std::size_t files_ = 0;
    Profile result_;
};

} // namespace

Profile read_profile(const std::string& reference, const std::vector<ProfilePlace>& places,
                     const Origin& origin) {
    const ProfileFile file =
        is_profile_path(reference)
            ? open_profile_file(resolve(reference, origin), ProfileOwner::anybody)
            : open_named_profile(reference, places, 0);
    Loader loader(places, origin);
    loader.read_top(file);
    return loader.take();
}

Statements load_profile(const std::string& reference, const std::vector<ProfilePlace>& places,
                        const Origin& origin) {
    Profile profile = read_profile(reference, places, origin);
    if (!profile.problems.empty()) {
        const std::size_t others = profile.problems.size() - 1;
        throw_error(ErrorKind::invalid_config,
                    profile.problems.front() + (others == 0
                                                    ? ""
                                                    : " (and " + std::to_string(others) +
                                                          " more: see coracle profile check)"));
    }
    return std::move(profile.statements);
}

std::vector<std::string> check_profile(const std::string& reference,
                                       const std::vector<ProfilePlace>& places,
                                       const Origin& origin) {
    Profile profile = read_profile(reference, places, origin);
    for (std::size_t i = 0; i < settings().size(); ++i) {
        for (const Said& said : profile.statements.values[i]) {
            try {
                Options scratch;
                settings()[i].apply(scratch, said.value, origin);
            } catch (const Error& error) { // catch: one problem among others
                profile.problems.push_back(said.where + ": " + error.text());
            }
        }
    }
    return std::move(profile.problems);
}

std::vector<spec::ListedProfile> list_profiles(const std::vector<ProfilePlace>& places,
                                               const Origin& origin) {
    std::vector<spec::ListedProfile> result;
    for (const NamedPlace& named : find_profile_names(places)) {
        spec::ListedProfile found{
            named.name, places[named.place].directory + "/" + named.name + ".yaml", "", false};
        try {
            Profile profile = read_profile(named.name, places, origin);
            found.usable = profile.problems.empty();
            found.description = found.usable ? profile.description : profile.problems.front();
        } catch (const Error& error) { // catch: it is listed all the same
            found.description = error.text();
        }
        result.push_back(std::move(found));
    }
    return result;
}

} // namespace coracle::sandbox
