#include "coracle/sandbox/make_bundle.h"

#include "coracle/base/error.h"
#include "coracle/host/detect.h"
#include "coracle/sandbox/egress.h"
#include "host_view_private.h"
#include "make_bundle_private.h"

namespace coracle::sandbox {

namespace {

void require_consistent(const Options& options) {
    if (options.command.empty()) {
        throw_error(ErrorKind::usage, "no command given: coracle sandbox [OPTIONS] -- COMMAND");
    }
    if (!options.published.empty() && options.network != Network::pasta) {
        throw_error(ErrorKind::usage, "publish needs net pasta: without it no port leads in");
    }
    require_filterable(options);
}

} // namespace

Bundle make_bundle(const Options& options, const std::string& directory) {
    require_consistent(options);
    Surroundings host;
    host.uid = host::effective_uid();
    host.gid = host::effective_gid();
    host.home = home_directory();
    host.directory = working_directory();

    Bundle bundle;
    bundle.config.oci_version = "1.0.2"; // nothing here is newer, and older runtimes refuse more
    MountList mounts;
    add_root(options, host, bundle, mounts);
    add_paths(options, directory, bundle, mounts);
    bundle.config.mounts = mounts.take();
    bundle.config.process = make_process(options, host);
    bundle.config.hostname = options.hostname.empty() ? "sandbox" : options.hostname;
    bundle.config.linux_ = make_linux(options, host);
    add_walls(options, mounts, bundle.config);
    bundle.limited = bundle.config.linux_->resources.has_value();
    return bundle;
}

} // namespace coracle::sandbox
