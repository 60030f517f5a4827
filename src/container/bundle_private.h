#pragma once

#include "coracle/sandbox/make_bundle.h"
#include "coracle/spec/config.h"
#include "coracle/sys/fd.h"

#include <string>
#include <vector>

namespace coracle::container {

/// A bundle directory and what its config.json says.
struct Bundle {
    std::string path; ///< absolute, without symbolic links
    std::string name; ///< of its configuration, for messages
    std::string text; ///< of the configuration
    spec::Config config;
    /// What is made in the state directory first, which is the bundle then.
    std::vector<sandbox::BundleEntry> entries;
};

/// Opens the bundle, reads and validates its configuration, and checks that the root file system
/// is a directory. Throws: system, invalid_config; the text names the file.
[[nodiscard]] Bundle load_bundle(const std::string& directory, const std::string& config_name);

/// The bundle of a sandbox, which is to be in `directory` (absolute). Throws: invalid_config.
[[nodiscard]] Bundle take_bundle(sandbox::Bundle made, const std::string& directory);

/// Makes what a bundle holds beside its configuration, in the directory `bundle_fd`; an absolute
/// path may be there already. Throws: system, naming the entry.
void make_entries(int bundle_fd, const std::vector<sandbox::BundleEntry>& entries);

/// What a configuration and the caller's environment say: RUN_OCI_SECCOMP_RECEIVER is the
/// annotation run.oci.seccomp.receiver where that is not there. Throws: invalid_config. Source:
/// crun(1).
[[nodiscard]] spec::Config interpret_config(const std::string& text);

} // namespace coracle::container
