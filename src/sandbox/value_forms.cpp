#include "coracle/sandbox/seccomp_profiles.h"
#include "settings_private.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"

#include <algorithm>

namespace coracle::sandbox {

namespace {

/// Of a value: what stands before its path, the path, and what follows.
struct Parts {
    std::string before;
    std::string path;
    std::string after;
    char divider = '\0'; ///< must not be in the path
};

Parts take_first(const std::string& value, char divider) {
    std::size_t at = std::min(value.find(divider), value.size());
    return {"", value.substr(0, at), value.substr(at), divider};
}

Parts take_last(const std::string& value, std::size_t at, char divider) {
    return at == std::string::npos
               ? Parts{value, "", "", divider}
               : Parts{value.substr(0, at + 1), value.substr(at + 1), "", divider};
}

Parts split_source(const std::string& value) {
    Parts parts = take_last(value, value.find('='), '\0');
    const bool file = !parts.path.starts_with("fd:") && !parts.path.starts_with("credential:");
    return file ? parts : Parts{value, "", "", '\0'};
}

Parts split_value(ValueForm form, const std::string& value) {
    switch (form) {
    case ValueForm::path:
    case ValueForm::place:
        return {"", value, "", '\0'};
    case ValueForm::sized_place:
    case ValueForm::share:
        return take_first(value, ':');
    case ValueForm::link:
        return take_last(value, value.rfind(':'), ':');
    case ValueForm::file:
        return take_first(value, '=');
    case ValueForm::secret:
        return split_source(value);
    case ValueForm::filter:
        return is_seccomp_file(value) ? Parts{"", value, "", '\0'} : Parts{value, "", "", '\0'};
    case ValueForm::words:
        break;
    }
    return {value, "", "", '\0'};
}

bool is_relative(const std::string& path) {
    return !path.empty() && !path.starts_with('/') && path != "~" && !path.starts_with("~/") &&
           path != "$PWD" && !path.starts_with("$PWD/");
}

} // namespace

std::string make_absolute(const Setting& setting, const std::string& value,
                          const std::string& directory) {
    Parts parts = split_value(setting.form, value);
    if (!is_relative(parts.path)) {
        return value;
    }
    std::string path = clean_absolute(directory + "/" + parts.path);
    if (parts.divider != '\0' && path.find(parts.divider) != std::string::npos) {
        refuse(path, std::string("the profile's directory has a '") + parts.divider +
                         "', which divides the value: give absolute paths, or move the profile");
    }
    return parts.before + path + parts.after;
}

std::string place_of(const Setting& setting, const std::string& value, const Origin& origin) {
    const Parts parts = split_value(setting.form, value);
    switch (setting.form) {
    case ValueForm::share:
        if (!parts.after.empty()) {
            return clean_absolute(parts.after.substr(1));
        }
        break;
    case ValueForm::secret:
        return "/run/secrets/" + value.substr(0, value.find('='));
    case ValueForm::place:
    case ValueForm::sized_place:
    case ValueForm::link:
    case ValueForm::file:
        break;
    case ValueForm::words:
    case ValueForm::path:
    case ValueForm::filter:
        return {};
    }
    try {
        return resolve(parts.path, origin);
    } catch (const Error&) { // catch: what is wrong is told when the value is applied
        return {};
    }
}

} // namespace coracle::sandbox
