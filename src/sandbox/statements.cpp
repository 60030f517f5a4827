#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/sandbox/profile.h"
#include "settings_private.h"

#include <set>

namespace coracle::sandbox {

std::size_t setting_index(const std::string& name) {
    const Setting* setting = find_setting(name);
    if (setting == nullptr) {
        std::string nearest = nearest_setting(name);
        throw_error(ErrorKind::usage,
                    printable(name) + ": no setting is called so" +
                        (nearest.empty() ? "" : ": did you mean " + nearest + "?"));
    }
    return static_cast<std::size_t>(setting - settings().data());
}

namespace {

std::set<std::string> places_in(const Statements& statements, const Origin& origin) {
    std::set<std::string> places;
    for (std::size_t i = 0; i < settings().size(); ++i) {
        for (const Said& said : statements.values[i]) {
            places.insert(place_of(settings()[i], said.value, origin));
        }
    }
    places.erase("");
    return places;
}

} // namespace

void lay_over(Statements& below, const Statements& above, const Origin& origin) {
    for (std::size_t index : above.reset) {
        below.values[index].clear();
    }
    const std::set<std::string> places = places_in(above, origin);
    for (std::size_t i = 0; i < settings().size(); ++i) {
        std::vector<Said>& values = below.values[i];
        if (settings()[i].kind == SettingKind::list) {
            std::erase_if(values, [&](const Said& said) {
                return places.contains(place_of(settings()[i], said.value, origin));
            });
        } else if (!above.values[i].empty()) {
            values.clear();
        }
        values.insert(values.end(), above.values[i].begin(), above.values[i].end());
    }
}

void apply(const Statements& statements, const Origin& origin, Options& options) {
    for (std::size_t i = 0; i < settings().size(); ++i) {
        for (const Said& said : statements.values[i]) {
            in_context([&] { return said.where; },
                       [&] { settings()[i].apply(options, said.value, origin); });
        }
    }
}

} // namespace coracle::sandbox
