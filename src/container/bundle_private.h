#pragma once

#include "coracle/spec/config.h"
#include "coracle/sys/fd.h"

#include <string>

namespace coracle::container {

/// A bundle directory and what its config.json says.
struct Bundle {
    std::string path; ///< absolute, without symbolic links
    std::string text; ///< of the configuration
    spec::Config config;
};

/// Opens the bundle, reads and validates its configuration, and checks that the root file system
/// is a directory. Throws: system, invalid_config; the text names the file.
[[nodiscard]] Bundle load_bundle(const std::string& directory, const std::string& config_name);

} // namespace coracle::container
