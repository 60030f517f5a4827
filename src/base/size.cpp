#include "coracle/base/size.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"

#include <string_view>

namespace coracle {

namespace {

[[noreturn]] void refuse(const std::string& text, const char* option) {
    throw_error(ErrorKind::usage, std::string(option) + " " + printable(text) +
                                      ": must be a number of bytes such as 512m or 1.5g, or -1");
}

/// The power of two of "", "b", "k", "kb", "kib"; -1 if it is none of them.
int find_shift(std::string_view unit) {
    constexpr std::string_view units = "kmgtp";
    if (unit.empty() || unit == "b") {
        return 0;
    }
    std::size_t at = units.find(unit.front());
    std::string_view rest = unit.substr(1);
    bool known = at != std::string_view::npos && (rest.empty() || rest == "b" || rest == "ib");
    return known ? 10 * (static_cast<int>(at) + 1) : -1;
}

} // namespace

std::optional<std::int64_t> parse_size(const std::string& text, const char* option) {
    if (text.empty()) {
        return std::nullopt;
    }
    if (text == "-1") {
        return -1;
    }
    std::size_t end = text.find_first_not_of("0123456789.");
    std::string number = text.substr(0, end);
    std::string unit = end == std::string::npos ? "" : to_lower(text.substr(end));
    unit.erase(0, unit.find_first_not_of(' '));
    int shift = find_shift(unit);
    std::size_t point = number.find('.');
    std::optional<std::uint64_t> whole = parse_unsigned(number.substr(0, point), INT64_MAX);
    if (shift < 0 || !whole || *whole > (static_cast<std::uint64_t>(INT64_MAX) >> shift)) {
        refuse(text, option);
    }
    std::uint64_t bytes = *whole << shift;
    if (point != std::string::npos) {
        constexpr std::size_t digits = 6;
        std::string fraction = (number.substr(point + 1) + "000000").substr(0, digits);
        std::optional<std::uint64_t> millionths = parse_unsigned(fraction, 999999);
        if (!millionths || number.size() == point + 1) {
            refuse(text, option);
        }
        bytes += static_cast<std::uint64_t>(static_cast<long double>(*millionths) / 1000000.0L *
                                            static_cast<long double>(std::uint64_t{1} << shift));
    }
    return static_cast<std::int64_t>(bytes);
}

} // namespace coracle
