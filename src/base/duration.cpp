#include "coracle/base/duration.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"

#include <array>
#include <string_view>

namespace coracle {

namespace {

struct Unit {
    std::string_view name;
    std::uint64_t milliseconds;
};

constexpr std::array<Unit, 4> units{{{"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}}};

/// 0 for no unit of the list.
std::uint64_t find_unit(std::string_view name) {
    for (const Unit& unit : units) {
        if (unit.name == name) {
            return unit.milliseconds;
        }
    }
    return 0;
}

} // namespace

std::chrono::milliseconds parse_duration(const std::string& text, const char* option) {
    constexpr std::uint64_t highest = 36000000000;
    std::string_view rest = text;
    std::uint64_t total = 0;
    bool valid = !rest.empty();
    while (valid && !rest.empty()) {
        std::size_t digits = rest.find_first_not_of("0123456789");
        std::string_view number = rest.substr(0, digits);
        std::string_view behind = digits == std::string_view::npos ? "" : rest.substr(digits);
        std::string_view name = behind.substr(0, behind.find_first_of("0123456789"));
        std::optional<std::uint64_t> count = parse_unsigned(number, highest);
        std::uint64_t unit = find_unit(name);
        valid = count && unit != 0 && *count * unit <= highest;
        total += valid ? *count * unit : 0;
        rest = behind.substr(name.size());
    }
    if (!valid || total == 0 || total > highest) {
        throw_error(ErrorKind::usage, std::string(option) + " " + printable(text) +
                                          ": must be a time above 0 such as 500ms, 5s or 1m30s");
    }
    return std::chrono::milliseconds(total);
}

} // namespace coracle
