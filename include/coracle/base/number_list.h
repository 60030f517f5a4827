#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace coracle {

/// The bit mask of a list of CPUs or memory nodes such as "0-3, 7": bit N % 64 of word N / 64 for
/// each number N. Blanks may stand around a number, and an empty list is an empty mask. Nothing if
/// `text` is not such a list, a range goes backwards, or a number is above `highest`.
/// Source: cpuset(7), "List format".
[[nodiscard]] std::optional<std::vector<std::uint64_t>> parse_number_list(std::string_view text,
                                                                          std::uint32_t highest);

/// The list of a mask, in its shortest form: "0-3,7".
[[nodiscard]] std::string write_number_list(const std::vector<std::uint64_t>& mask);

} // namespace coracle
