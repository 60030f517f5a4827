#include "bundle_private.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/spec/config_json.h"
#include "coracle/spec/validate.h"
#include "coracle/sys/access.h"
#include "coracle/sys/file.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace coracle::container {

namespace {

/// The kernel's own name of an open directory.
std::string absolute_path_of(int fd) {
    return sys::read_link(AT_FDCWD, "/proc/self/fd/" + std::to_string(fd));
}

std::string read_config(int bundle_fd, const std::string& name) {
    sys::Fd file = sys::open_at(bundle_fd, name, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (!S_ISREG(sys::stat_of(file.get(), name).st_mode)) {
        throw_error(ErrorKind::invalid_config, name + ": not a regular file");
    }
    return sys::read_all(file.get(), spec::max_document_bytes, name);
}

void require_root_directory(int bundle_fd, const std::string& path) {
    struct stat status {};
    int result = ::fstatat(bundle_fd, path.c_str(), &status, 0);
    int saved = errno;
    if (result != 0) {
        throw_system(saved, "/root/path: root file system " + printable(path),
                     sys::explain_path(saved, bundle_fd, path, F_OK, absolute_path_of(bundle_fd)));
    }
    if (!S_ISDIR(status.st_mode)) {
        throw_system(ENOTDIR, "/root/path: root file system " + printable(path));
    }
}

} // namespace

Bundle load_bundle(const std::string& directory, const std::string& config_name) {
    sys::Fd fd =
        in_context([] { return std::string("bundle"); },
                   [&] { return sys::open_at(AT_FDCWD, directory, O_PATH | O_DIRECTORY); });
    Bundle bundle;
    bundle.path = absolute_path_of(fd.get());
    if (sys::stat_of(fd.get(), bundle.path).st_nlink == 0) {
        throw_system(ENOENT, "bundle " + printable(bundle.path), "the directory has been deleted");
    }
    bundle.config = in_context([&] { return printable(bundle.path) + "/" + config_name; },
                               [&] {
                                   bundle.text = read_config(fd.get(), config_name);
                                   spec::Config config = spec::parse_config(bundle.text);
                                   spec::validate(config);
                                   require_root_directory(fd.get(), config.root->path);
                                   return config;
                               });
    return bundle;
}

} // namespace coracle::container
