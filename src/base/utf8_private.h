#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace coracle::utf8 {

/// One code point at the start of a text; `length` 0: the bytes there are not UTF-8.
struct CodePoint {
    std::size_t length = 0;
    std::uint32_t value = 0;
};

/// Decodes the first code point of `text`, which must not be empty. Overlong forms, surrogates and
/// values above U+10FFFF are not UTF-8.
/// Source: RFC 3629.
[[nodiscard]] CodePoint decode(std::string_view text) noexcept;

/// What escape_controls leaves alone or not.
enum class Quotes { keep, escape };

/// Appends `text` with control characters and bytes that are not UTF-8 escaped in the manner of C,
/// so that it stays on one line and cannot steer a terminal.
void append_escaped(std::string& out, std::string_view text, Quotes quotes);

} // namespace coracle::utf8
