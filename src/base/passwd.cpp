#include "coracle/base/passwd.h"

#include "coracle/base/text.h"

#include <algorithm>
#include <array>

namespace coracle {

namespace {

constexpr std::size_t field_count = 7;

// A hostile file may be all separators: nothing is allocated for them.
std::optional<std::array<std::string_view, field_count>> find_fields(std::string_view line) {
    std::array<std::string_view, field_count> fields;
    for (std::size_t i = 0; i + 1 < field_count; ++i) {
        std::size_t end = line.find(':');
        if (end == std::string_view::npos) {
            return std::nullopt;
        }
        fields.at(i) = line.substr(0, end);
        line.remove_prefix(end + 1);
    }
    fields.back() = line;
    return line.find(':') == std::string_view::npos ? std::optional{fields} : std::nullopt;
}

} // namespace

std::optional<PasswdEntry> find_passwd_entry(std::string_view passwd, std::uint32_t uid) {
    while (!passwd.empty()) {
        std::string_view line = passwd.substr(0, passwd.find('\n'));
        passwd.remove_prefix(std::min(line.size() + 1, passwd.size()));
        auto fields = find_fields(line);
        if (fields && parse_unsigned((*fields)[2], UINT32_MAX) == uid) {
            return PasswdEntry{(*fields)[0], (*fields)[5]};
        }
    }
    return std::nullopt;
}

} // namespace coracle
