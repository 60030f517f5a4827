#pragma once

#include "coracle/container/operations.h"
#include "coracle/spec/config.h"

namespace coracle::container {

/// The process that `exec` runs: of the process file, or the container's own with what the options
/// change. Valid. Runs in: parent. Throws: usage; invalid_config; system, naming the file.
[[nodiscard]] spec::Process make_exec_process(const std::optional<spec::Process>& of_container,
                                              const ExecOptions& options);

} // namespace coracle::container
