#pragma once

#include "coracle/sandbox/options.h"
#include "coracle/spec/config.h"

#include <cstdint>
#include <string>
#include <vector>

namespace coracle::sandbox {

enum class EntryKind { directory, symlink, file };

/// Something that the bundle directory has to hold beside its configuration.
struct BundleEntry {
    EntryKind kind{};
    std::string path;     ///< relative to the bundle; its directories come before it
    std::string content;  ///< of a file; the target of a symbolic link
    std::uint32_t mode{}; ///< of a directory or file
};

/// A sandbox as a bundle that is not written yet: nothing in it needs coracle to be run.
struct Bundle {
    spec::Config config;
    std::vector<BundleEntry> entries;
    bool limited = false; ///< it needs a cgroup
};

/// The files and the configuration of a sandbox whose bundle will be the directory `directory`
/// (absolute). Looks at the host's files, and changes nothing. Runs in: parent.
/// Throws: usage, for options that contradict each other; invalid_config; system, naming the path.
[[nodiscard]] Bundle make_bundle(const Options& options, const std::string& directory);

} // namespace coracle::sandbox
