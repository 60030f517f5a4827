#pragma once

#include <chrono>
#include <string>

namespace coracle {

/// "5s", "500ms", "1m30s", "2h": at least a millisecond, at most 10,000 hours.
/// Throws: usage, naming the option.
[[nodiscard]] std::chrono::milliseconds parse_duration(const std::string& text, const char* option);

} // namespace coracle
