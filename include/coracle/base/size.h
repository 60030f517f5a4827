#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace coracle {

/// A number of bytes as people write it: "512m", "1.5GiB", "-1" for no limit; nothing for "".
/// Units are powers of 1024: k, m, g, t, p, with b or ib behind them, any case.
/// Throws: usage, naming the option.
[[nodiscard]] std::optional<std::int64_t> parse_size(const std::string& text, const char* option);

} // namespace coracle
