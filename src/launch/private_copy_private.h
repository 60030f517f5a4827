#pragma once

namespace coracle::launch {

/// The memfd holds the container-side program, and nobody can change it any more.
/// Runs in: parent. Throws: system.
void fill_private_copy(int memory_file);

} // namespace coracle::launch
