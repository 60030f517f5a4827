#include "settings_private.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "nearest_private.h"

#include <set>

namespace coracle::sandbox {

void refuse(const std::string& value, const std::string& text) {
    throw_error(ErrorKind::usage, printable(value) + ": " + text);
}

std::string resolve(const std::string& path, const Origin& origin) {
    if (path.empty()) {
        refuse(path, "a path is missing");
    }
    if (path == "~" || path.starts_with("~/")) {
        if (origin.home.empty()) {
            refuse(path, "the caller has no home directory: HOME is not set");
        }
        return clean_absolute(origin.home + path.substr(1));
    }
    if (path == "$PWD" || path.starts_with("$PWD/")) {
        return clean_absolute(origin.directory + path.substr(4));
    }
    return clean_absolute(path.starts_with('/') ? path : origin.directory + "/" + path);
}

const std::vector<Setting>& settings() {
    static const std::vector<Setting> all = [] {
        std::vector<Setting> result;
        for (const std::vector<Setting>* part :
             {&path_settings(), &place_settings(), &process_settings(), &wall_settings(),
              &limit_settings()}) {
            result.insert(result.end(), part->begin(), part->end());
        }
        return result;
    }();
    return all;
}

const Setting* find_setting(std::string_view name) {
    for (const Setting& setting : settings()) {
        if (name == setting.name) {
            return &setting;
        }
    }
    return nullptr;
}

std::string nearest_setting(std::string_view name) {
    std::set<std::string> names;
    for (const Setting& setting : settings()) {
        names.insert(setting.name);
    }
    return find_nearest(name, names);
}

} // namespace coracle::sandbox
