#include "coracle/sys/mountinfo.h"

#include "coracle/base/text.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <optional>
#include <string_view>

namespace coracle::sys {

namespace {

/// "\\040" and its kind as the byte they stand for.
std::string decode(std::string_view text) {
    std::string decoded;
    while (!text.empty()) {
        std::optional<std::uint64_t> byte = text.front() == '\\' && text.size() >= 4
                                                ? parse_octal(text.substr(1, 3), 0377)
                                                : std::nullopt;
        decoded += byte ? static_cast<char>(*byte) : text.front();
        text.remove_prefix(byte ? 4 : 1);
    }
    return decoded;
}

} // namespace

std::vector<MountLine> parse_mountinfo(const std::string& text) {
    // Between the mount's options and its type stand any number of fields, then "-".
    constexpr std::size_t point_field = 4;
    constexpr std::size_t options_field = 5;
    constexpr std::ptrdiff_t optional_fields = 6;
    std::vector<MountLine> lines;
    for (std::string_view line : split(text, '\n')) {
        std::vector<std::string_view> fields = split(line, ' ');
        if (std::ssize(fields) <= optional_fields) {
            continue;
        }
        auto dash = std::find(fields.begin() + optional_fields, fields.end(), "-");
        if (dash == fields.end() || dash + 1 == fields.end()) {
            continue;
        }
        std::optional<std::uint64_t> id = parse_unsigned(fields[0], UINT64_MAX);
        std::optional<std::uint64_t> parent = parse_unsigned(fields[1], UINT64_MAX);
        if (id && parent) {
            lines.push_back({*id, *parent, decode(fields[point_field]), std::string(*(dash + 1)),
                             std::string(fields[options_field]),
                             dash + 3 < fields.end() ? std::string(*(dash + 3)) : ""});
        }
    }
    return lines;
}

} // namespace coracle::sys
