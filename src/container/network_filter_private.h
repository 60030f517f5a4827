#pragma once

#include "coracle/sandbox/egress.h"

#include <sys/types.h>

namespace coracle::container {

/// The network of the container sends where the filter lets it and nowhere else.
/// Runs in: parent of a sandbox, before a way out is there and before the program is.
/// Throws: unsupported, with nft's words, also where the kernel lacks it; system.
void apply_network_filter(const sandbox::NetworkFilter& filter, pid_t init);

} // namespace coracle::container
