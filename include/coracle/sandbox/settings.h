#pragma once

#include "coracle/sandbox/options.h"

#include <string>
#include <string_view>
#include <vector>

namespace coracle::sandbox {

/// What a value may need to be understood.
struct Origin {
    std::string directory; ///< absolute: what relative paths, and "$PWD", are relative to
    std::string home;      ///< of the caller, for "~"
};

/// The caller's: of a command line. Throws: system.
[[nodiscard]] Origin caller_origin();

enum class SettingKind {
    flag,  ///< said or not
    value, ///< the last one counts
    list,  ///< any number of times
};

/// Which part of a value is a path, that a profile gives relative to its directory.
enum class ValueForm {
    words,       ///< none
    path,        ///< all of it
    place,       ///< all of it: what is there in the sandbox
    sized_place, ///< PATH[:SIZE], a place
    share,       ///< PATH[:DEST], a place
    link,        ///< TARGET:PATH, a place
    file,        ///< PATH=TEXT, a place
    secret,      ///< NAME=FILE, a place
    filter,      ///< a file or words
};

/// One thing that can be said of a sandbox: `--name VALUE` on the command line, `name: VALUE` in a
/// profile.
struct Setting {
    const char* name;
    SettingKind kind;
    const char* placeholder; ///< "PATH"; empty for a flag
    const char* summary;
    /// Makes it so. `value` is "true" or "false" for a flag.
    /// Throws: usage, naming the value; system.
    void (*apply)(Options& options, const std::string& value, const Origin& origin);
    ValueForm form = ValueForm::words;
};

/// All of them, in the order of the manual page.
[[nodiscard]] const std::vector<Setting>& settings();
/// nullptr if there is none of that name.
[[nodiscard]] const Setting* find_setting(std::string_view name);
/// The setting whose name is nearest to `name`; empty if none is near.
[[nodiscard]] std::string nearest_setting(std::string_view name);

} // namespace coracle::sandbox
