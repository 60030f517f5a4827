#pragma once

#include "coracle/sandbox/make_bundle.h"
#include "mount_list_private.h"

#include <string>

/// The parts of make_bundle.
namespace coracle::sandbox {

/// The host as far as a sandbox depends on it, looked up once.
struct Surroundings {
    std::uint32_t uid = 0; ///< of the caller
    std::uint32_t gid = 0;
    std::string home;      ///< empty: none
    std::string directory; ///< the working one
};

/// Where the payload's user is at home in the sandbox.
[[nodiscard]] std::string home_in(const Options& options, const Surroundings& host);
/// Where the payload starts.
[[nodiscard]] std::string directory_in(const Options& options, const Surroundings& host);

/// Mounts, and what the bundle needs for them.
void add_root(const Options& options, const Surroundings& host, Bundle& bundle, MountList& mounts);
void add_paths(const Options& options, const std::string& bundle_directory, Bundle& bundle,
               MountList& mounts);

[[nodiscard]] spec::Process make_process(const Options& options, const Surroundings& host);
[[nodiscard]] spec::Linux make_linux(const Options& options, const Surroundings& host);

/// The filter, and what is asked for by annotations.
void add_walls(const Options& options, const MountList& mounts, spec::Config& config);

/// "ro" as options of a bind mount: as far as the kernel can say it of a whole tree.
[[nodiscard]] spec::Mount make_bind(std::string source, std::string destination,
                                    std::vector<std::string> options);
[[nodiscard]] spec::Mount make_tmpfs(std::string destination, std::vector<std::string> options);

} // namespace coracle::sandbox
