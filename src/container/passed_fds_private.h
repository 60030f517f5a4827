#pragma once

#include <cstdint>

namespace coracle::container {

/// The fds 3 to 3 + count - 1 of the caller are open; all others above 2 go no further than this
/// process. Throws: system "--preserve-fds: fd N is not open".
void require_passed_fds(std::uint32_t count);

} // namespace coracle::container
