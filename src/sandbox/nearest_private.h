#pragma once

#include <set>
#include <string>
#include <string_view>

namespace coracle::sandbox {

/// The candidate that the fewest changed letters lead to; empty if none is near enough to be what
/// was meant.
[[nodiscard]] std::string find_nearest(std::string_view word,
                                       const std::set<std::string>& candidates);

} // namespace coracle::sandbox
