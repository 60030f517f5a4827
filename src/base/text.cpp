#include "coracle/base/text.h"

#include <algorithm>
#include <chrono>

#include "base/utf8_private.h"

namespace coracle {

namespace utf8 {

namespace {

constexpr std::string_view hex_digits = "0123456789abcdef";

constexpr std::uint32_t byte_at(std::string_view text, std::size_t index) noexcept {
    return static_cast<unsigned char>(text[index]);
}

void append_hex_byte(std::string& out, std::uint32_t byte) {
    out += "\\x";
    out += hex_digits[(byte >> 4) & 0xf];
    out += hex_digits[byte & 0xf];
}

void append_control(std::string& out, std::uint32_t value) {
    switch (value) {
    case '\n':
        out += "\\n";
        break;
    case '\r':
        out += "\\r";
        break;
    case '\t':
        out += "\\t";
        break;
    default:
        append_hex_byte(out, value);
    }
}

/// C0, DEL and C1: what a terminal may act on.
constexpr bool is_control(std::uint32_t value) noexcept {
    return value < 0x20 || (value >= 0x7f && value < 0xa0);
}

} // namespace

CodePoint decode(std::string_view text) noexcept {
    const std::uint32_t first = byte_at(text, 0);
    if (first < 0x80) {
        return {1, first};
    }
    std::size_t length = 0;
    std::uint32_t value = 0;
    std::uint32_t smallest = 0;
    if (first >= 0xc2 && first < 0xe0) {
        length = 2;
        value = first & 0x1f;
        smallest = 0x80;
    } else if (first >= 0xe0 && first < 0xf0) {
        length = 3;
        value = first & 0x0f;
        smallest = 0x800;
    } else if (first >= 0xf0 && first < 0xf5) {
        length = 4;
        value = first & 0x07;
        smallest = 0x10000;
    }
    if (length == 0 || text.size() < length) {
        return {};
    }
    for (std::size_t i = 1; i < length; ++i) {
        const std::uint32_t next = byte_at(text, i);
        if ((next & 0xc0) != 0x80) {
            return {};
        }
        value = (value << 6) | (next & 0x3f);
    }
    const bool surrogate = value >= 0xd800 && value < 0xe000;
    if (value < smallest || value > 0x10ffff || surrogate) {
        return {};
    }
    return {length, value};
}

void append_escaped(std::string& out, std::string_view text, Quotes quotes) {
    while (!text.empty()) {
        const CodePoint point = decode(text);
        if (point.length == 0) {
            append_hex_byte(out, byte_at(text, 0));
            text.remove_prefix(1);
            continue;
        }
        const bool quoted = point.value == '"' || point.value == '\\';
        if (is_control(point.value)) {
            append_control(out, point.value);
        } else {
            if (quoted && quotes == Quotes::escape) {
                out += '\\';
            }
            out += text.substr(0, point.length);
        }
        text.remove_prefix(point.length);
    }
}

} // namespace utf8

namespace {

std::optional<std::uint64_t> parse_digits(std::string_view text, unsigned base,
                                          std::uint64_t limit) noexcept {
    if (text.empty()) {
        return std::nullopt;
    }
    std::uint64_t value = 0;
    for (const char c : text) {
        const unsigned digit = static_cast<unsigned>(static_cast<unsigned char>(c)) - '0';
        if (digit >= base) {
            return std::nullopt;
        }
        if (digit > limit || value > (limit - digit) / base) {
            return std::nullopt;
        }
        value = value * base + digit;
    }
    return value;
}

void append_json_control(std::string& out, std::uint32_t value) {
    constexpr std::string_view digits = "0123456789abcdef";
    switch (value) {
    case '\b':
        out += "\\b";
        break;
    case '\f':
        out += "\\f";
        break;
    case '\n':
        out += "\\n";
        break;
    case '\r':
        out += "\\r";
        break;
    case '\t':
        out += "\\t";
        break;
    default:
        out += "\\u00";
        out += digits[(value >> 4) & 0xf];
        out += digits[value & 0xf];
    }
}

} // namespace

std::optional<std::uint64_t> parse_unsigned(std::string_view text, std::uint64_t limit) noexcept {
    return parse_digits(text, 10, limit);
}

std::optional<std::uint64_t> parse_octal(std::string_view text, std::uint64_t limit) noexcept {
    return parse_digits(text, 8, limit);
}

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> parts;
    std::size_t begin = 0;
    for (;;) {
        const std::size_t end = text.find(separator, begin);
        if (end == std::string_view::npos) {
            parts.push_back(text.substr(begin));
            return parts;
        }
        parts.push_back(text.substr(begin, end - begin));
        begin = end + 1;
    }
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
    std::string joined;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        if (i != 0) {
            joined += separator;
        }
        joined += parts[i];
    }
    return joined;
}

std::string to_lower(std::string_view text) {
    std::string lower(text);
    for (char& c : lower) {
        if (c >= 'A' && c <= 'Z') {
            c = static_cast<char>(c - 'A' + 'a');
        }
    }
    return lower;
}

std::string printable(std::string_view text) {
    constexpr std::size_t limit = 256;
    constexpr std::string_view ellipsis = "...";
    std::string out;
    std::size_t fitting = 0; // what of `out` leaves room for the ellipsis
    while (!text.empty()) {
        const std::size_t length = utf8::decode(text).length;
        const std::string_view next = text.substr(0, length == 0 ? 1 : length);
        utf8::append_escaped(out, next, utf8::Quotes::escape);
        if (out.size() > limit) {
            out.resize(fitting);
            out += ellipsis;
            return out;
        }
        if (out.size() <= limit - ellipsis.size()) {
            fitting = out.size();
        }
        text.remove_prefix(next.size());
    }
    return out;
}

std::size_t find_not_utf8(std::string_view text) noexcept {
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t length = utf8::decode(text.substr(at)).length;
        if (length == 0) {
            return at;
        }
        at += length;
    }
    return std::string_view::npos;
}

namespace {

/// How many bytes at the front stand in JSON as they are: most texts as a whole.
std::size_t count_plain(std::string_view text) noexcept {
    const auto* end = std::find_if(text.begin(), text.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte < 0x20 || byte >= 0x7f || c == '"' || c == '\\';
    });
    return static_cast<std::size_t>(end - text.begin());
}

} // namespace

std::string escape_json(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const std::size_t plain = count_plain(text);
        out += text.substr(0, plain);
        text.remove_prefix(plain);
        if (text.empty()) {
            break;
        }
        const utf8::CodePoint point = utf8::decode(text);
        if (point.length == 0) {
            out += "\xef\xbf\xbd";
            text.remove_prefix(1);
            continue;
        }
        if (point.value < 0x20) {
            append_json_control(out, point.value);
        } else {
            if (point.value == '"' || point.value == '\\') {
                out += '\\';
            }
            out += text.substr(0, point.length);
        }
        text.remove_prefix(point.length);
    }
    return out;
}

namespace {

void append_padded(std::string& out, long number, std::size_t digits) {
    const std::string text = std::to_string(number);
    out.append(text.size() < digits ? digits - text.size() : 0, '0');
    out += text;
}

} // namespace

// gmtime(3) is not used because glibc opens /etc/localtime in it.
std::string format_time(long seconds) {
    const std::chrono::sys_seconds time{std::chrono::seconds(seconds)};
    const std::chrono::sys_days day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss<std::chrono::seconds> clock(time - day);
    std::string out;
    append_padded(out, static_cast<int>(date.year()), 4);
    out += '-';
    append_padded(out, static_cast<unsigned>(date.month()), 2);
    out += '-';
    append_padded(out, static_cast<unsigned>(date.day()), 2);
    out += 'T';
    append_padded(out, clock.hours().count(), 2);
    out += ':';
    append_padded(out, clock.minutes().count(), 2);
    out += ':';
    append_padded(out, clock.seconds().count(), 2);
    out += 'Z';
    return out;
}

bool is_path_component(std::string_view text) noexcept {
    return !text.empty() && text != "." && text != ".." &&
           text.find('/') == std::string_view::npos && text.find('\0') == std::string_view::npos;
}

std::string clean_absolute(std::string_view path) {
    std::string clean;
    for (const std::string_view part : split(path, '/')) {
        if (part.empty() || part == ".") {
            continue;
        }
        if (part == "..") {
            const std::size_t slash = clean.rfind('/');
            clean.resize(slash == std::string::npos ? 0 : slash);
            continue;
        }
        clean += '/';
        clean += part;
    }
    return clean.empty() ? "/" : clean;
}

} // namespace coracle
