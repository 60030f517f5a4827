#pragma once

#include "coracle/container/status.h"
#include "coracle/spec/documents.h"

#include <string>

namespace coracle::container {

/// The name of a uid in the host's own /etc/passwd, else "#uid".
[[nodiscard]] std::string owner_name(std::uint32_t uid);

/// The record as `state` shows it, without the owner's name.
[[nodiscard]] spec::ContainerView make_view(const spec::Record& record, Status status);

} // namespace coracle::container
