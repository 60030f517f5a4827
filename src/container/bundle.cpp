#include "bundle_private.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/spec/annotations.h"
#include "coracle/spec/config_json.h"
#include "coracle/spec/config_writer.h"
#include "coracle/spec/validate.h"
#include "coracle/sys/access.h"
#include "coracle/sys/file.h"

#include <cerrno>
#include <cstdlib>
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

void make_entry(int bundle_fd, const sandbox::BundleEntry& entry) {
    int errnum = 0;
    switch (entry.kind) {
    case sandbox::EntryKind::directory:
        errnum = sys::try_make_directory(bundle_fd, entry.path, entry.mode);
        errnum = errnum == EEXIST && entry.path.starts_with('/') ? 0 : errnum;
        break;
    case sandbox::EntryKind::symlink:
        errnum = sys::try_make_symlink(bundle_fd, entry.path, entry.content);
        break;
    case sandbox::EntryKind::file: {
        constexpr int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
        sys::Fd file = sys::open_at(bundle_fd, entry.path, flags, entry.mode);
        sys::write_all(file.get(), entry.content, entry.path);
        sys::close_written(std::move(file), entry.path);
        break;
    }
    }
    if (errnum != 0) {
        throw_system(errnum, "make " + printable(entry.path));
    }
}

} // namespace

Bundle take_bundle(sandbox::Bundle made, const std::string& directory) {
    spec::validate(made.config);
    Bundle bundle;
    bundle.path = directory;
    bundle.name = "sandbox";
    bundle.text = spec::write_config(made.config, spec::ConfigLayout::compact);
    bundle.config = std::move(made.config);
    bundle.entries = std::move(made.entries);
    return bundle;
}

void make_entries(int bundle_fd, const std::vector<sandbox::BundleEntry>& entries) {
    for (const sandbox::BundleEntry& entry : entries) {
        make_entry(bundle_fd, entry);
    }
}

spec::Config interpret_config(const std::string& text) {
    spec::Config config = spec::parse_config(text);
    const char* receiver = std::getenv("RUN_OCI_SECCOMP_RECEIVER");
    if (receiver != nullptr && *receiver != '\0') {
        config.annotations.try_emplace(std::string(spec::seccomp_receiver_annotation), receiver);
    }
    return config;
}

Bundle load_bundle(const std::string& directory, const std::string& config_name) {
    sys::Fd fd =
        in_context([] { return std::string("bundle"); },
                   [&] { return sys::open_at(AT_FDCWD, directory, O_PATH | O_DIRECTORY); });
    Bundle bundle;
    bundle.path = absolute_path_of(fd.get());
    if (sys::stat_of(fd.get(), bundle.path).st_nlink == 0) {
        throw_system(ENOENT, "bundle " + printable(bundle.path), "the directory has been deleted");
    }
    bundle.name = printable(bundle.path) + "/" + config_name;
    bundle.config = in_context([&] { return bundle.name; },
                               [&] {
                                   bundle.text = read_config(fd.get(), config_name);
                                   spec::Config config = interpret_config(bundle.text);
                                   spec::validate(config);
                                   require_root_directory(fd.get(), config.root->path);
                                   return config;
                               });
    return bundle;
}

} // namespace coracle::container
