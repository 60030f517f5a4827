#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace coracle {

/// The value of an unsigned decimal number: no sign, no blanks, no prefix, nothing after it.
/// Nothing if `text` is not one, or is above `limit`.
[[nodiscard]] std::optional<std::uint64_t> parse_unsigned(std::string_view text,
                                                          std::uint64_t limit) noexcept;
/// The same for octal digits, such as a mode.
[[nodiscard]] std::optional<std::uint64_t> parse_octal(std::string_view text,
                                                       std::uint64_t limit) noexcept;

[[nodiscard]] std::vector<std::string_view> split(std::string_view text, char separator);
[[nodiscard]] std::string join(const std::vector<std::string>& parts, std::string_view separator);
[[nodiscard]] std::string to_lower(std::string_view text);

/// `text` as it may stand in one line for a person: control bytes, quotes and backslashes escaped,
/// cut at 256 bytes.
[[nodiscard]] std::string printable(std::string_view text);

/// `text` as the inside of a JSON string, without the quotes; bytes that are not UTF-8 become
/// U+FFFD.
[[nodiscard]] std::string escape_json(std::string_view text);

/// Where the first byte is that is no part of a UTF-8 character; npos if all are.
[[nodiscard]] std::size_t find_not_utf8(std::string_view text) noexcept;

/// A time since the epoch as RFC 3339 in UTC: "2026-01-02T03:04:05Z".
[[nodiscard]] std::string format_time(long seconds);

/// Whether `text` is one component of a path: not empty, no '/', not "." or "..", no NUL.
[[nodiscard]] bool is_path_component(std::string_view text) noexcept;
/// Lexical clean-up: no doubled or trailing '/', no "." and "..", which never climbs above "/".
/// `path` is taken from the root: the result always starts with '/'.
[[nodiscard]] std::string clean_absolute(std::string_view path);

} // namespace coracle
