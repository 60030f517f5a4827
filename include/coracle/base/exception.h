#pragma once

#include <exception>
#include <string>

namespace coracle {

/// What an exception that is not ours says, as one sentence; of std::bad_alloc the cause and cure.
[[nodiscard]] std::string describe_exception(const std::exception& exception);

} // namespace coracle
