#pragma once

#include "coracle/sandbox/settings.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// The settings, one file an area.
namespace coracle::sandbox {

/// Throws usage: "--name VALUE: text" is what the caller makes of it.
[[noreturn]] void refuse(const std::string& value, const std::string& text);

struct Ports {
    std::uint16_t first = 0;
    std::uint16_t count = 1;
};

/// "80" or "80-89", which stands in `whole`. Throws: usage; `expected` is the form of the whole.
[[nodiscard]] Ports parse_ports(const std::string& whole, std::string_view text,
                                const char* expected);

[[nodiscard]] const std::vector<Setting>& path_settings();
[[nodiscard]] const std::vector<Setting>& place_settings();
[[nodiscard]] const std::vector<Setting>& process_settings();
[[nodiscard]] const std::vector<Setting>& wall_settings();
[[nodiscard]] const std::vector<Setting>& limit_settings();

/// An absolute path without "." and "..": "~" is the home directory, "~/x" below it, a relative
/// path is below the origin's directory, which is "$PWD" too. Throws: usage.
[[nodiscard]] std::string resolve(const std::string& path, const Origin& origin);

/// The value with relative paths made absolute; those of "~" and "$PWD" stay.
/// Throws: usage, if `directory` has a character that divides the value.
[[nodiscard]] std::string make_absolute(const Setting& setting, const std::string& value,
                                        const std::string& directory);
/// Where in the sandbox the value puts something; empty if nowhere, or if the value is wrong.
[[nodiscard]] std::string place_of(const Setting& setting, const std::string& value,
                                   const Origin& origin);

} // namespace coracle::sandbox
