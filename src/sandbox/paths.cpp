#include "host_view_private.h"
#include "make_bundle_private.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace coracle::sandbox {

namespace {

/// The host's files that make no sense in a sandbox, whatever the option.
void require_outside_kernel_trees(const std::string& place) {
    for (const char* tree : {"/proc", "/sys"}) {
        if (is_in(place, tree)) {
            throw_error(ErrorKind::usage, printable(place) + ": what is in " + tree +
                                              " is made by the kernel for each sandbox, and is not "
                                              "taken from the host");
        }
    }
}

void add_share(const Share& share, MountList& mounts) {
    require_outside_kernel_trees(share.destination);
    if (find_kind(share.source) == FileKind::missing) {
        if (share.missing == Missing::is_left_out) {
            return;
        }
        struct stat status {};
        (void)::stat(share.source.c_str(), &status);
        int saved = errno;
        throw_system(saved, printable(share.source),
                     "ro-try, rw-try and dev-try leave out what is not there");
    }
    std::vector<std::string> options{"rbind", "nosuid"};
    options.emplace_back(share.access == Access::read_only ? "rro" : "rw");
    if (!share.devices) {
        options.emplace_back("nodev");
    }
    mounts.add(Author::user, make_bind(share.source, share.destination, std::move(options)));
}

/// A file of the bundle for each; "files/3".
std::string add_bundle_file(Bundle& bundle, EntryKind kind, const std::string& content,
                            std::uint32_t mode) {
    auto is_files = [](const BundleEntry& entry) { return entry.path == "files"; };
    if (std::ranges::none_of(bundle.entries, is_files)) {
        bundle.entries.push_back({EntryKind::directory, "files", "", 0700});
    }
    std::string path = "files/" + std::to_string(bundle.entries.size());
    bundle.entries.push_back({kind, path, content, mode});
    return path;
}

void add_file(const MadeFile& file, Bundle& bundle, MountList& mounts) {
    require_outside_kernel_trees(file.path);
    std::string source = add_bundle_file(bundle, EntryKind::file, file.content, file.mode);
    mounts.add(Author::user,
               make_bind(source, file.path, {"bind", "ro", "nosuid", "nodev", "noexec"}));
}

void add_symlink(const Symlink& link, Bundle& bundle, MountList& mounts) {
    std::string source = add_bundle_file(bundle, EntryKind::symlink, link.target, 0);
    mounts.add(Author::user, make_bind(source, link.path, {"bind", "copy-symlink", "ro"}));
}

void add_empty_directory(const EmptyDirectory& directory, MountList& mounts) {
    require_outside_kernel_trees(directory.path);
    std::vector<std::string> options{"nosuid", "nodev"};
    options.emplace_back(directory.shared_mode ? "mode=1777" : "mode=0755");
    if (!directory.size.empty()) {
        options.push_back("size=" + directory.size);
    }
    mounts.add(Author::user, make_tmpfs(directory.path, std::move(options)));
}

/// "/usr/share" as the name of one file: "usr-share".
std::string layer_name(const std::string& path) {
    std::string name = path.substr(1);
    for (char& c : name) {
        c = c == '/' ? '-' : c;
    }
    return name;
}

/// The words of overlayfs divide at these. Source: the kernel's
/// Documentation/filesystems/overlayfs.rst.
std::string escape_overlay_path(const std::string& path) {
    std::string escaped;
    for (char c : path) {
        if (c == '\\' || c == ':' || c == ',') {
            escaped += '\\';
        }
        escaped += c;
    }
    return escaped;
}

void add_layer_directory(Bundle& bundle, const std::string& path) {
    auto is_there = [&](const BundleEntry& entry) { return entry.path == path; };
    if (std::ranges::none_of(bundle.entries, is_there)) {
        bundle.entries.push_back({EntryKind::directory, path, "", 0700});
    }
}

void add_overlay(const Options& options, const Overlay& overlay, const std::string& directory,
                 Bundle& bundle, MountList& mounts) {
    require_outside_kernel_trees(overlay.path);
    if (overlay.path == "/" || find_kind(overlay.path) != FileKind::directory) {
        throw_error(ErrorKind::usage, "overlay " + printable(overlay.path) +
                                          ": must be a directory of the host below /");
    }
    // Absolute where they are kept, else in the bundle, which goes away with them.
    std::string base = options.overlay_to;
    if (base.empty()) {
        add_layer_directory(bundle, "layers");
        base = "layers";
    }
    std::string layer = base + "/" + layer_name(overlay.path);
    for (const std::string& part : {layer, layer + "/upper", layer + "/work"}) {
        add_layer_directory(bundle, part);
    }
    std::string absolute = layer.starts_with('/') ? layer : directory + "/" + layer;
    spec::Mount mount{overlay.path, "overlay", "overlay", {"nosuid", "nodev", "userxattr"}, {}, {}};
    mount.options.push_back("lowerdir=" + escape_overlay_path(overlay.path));
    mount.options.push_back("upperdir=" + escape_overlay_path(absolute + "/upper"));
    mount.options.push_back("workdir=" + escape_overlay_path(absolute + "/work"));
    mounts.add(Author::user, std::move(mount));
}

} // namespace

void add_paths(const Options& options, const std::string& bundle_directory, Bundle& bundle,
               MountList& mounts) {
    for (const Share& share : options.shares) {
        add_share(share, mounts);
    }
    for (const EmptyDirectory& directory : options.empty_directories) {
        add_empty_directory(directory, mounts);
    }
    for (const Overlay& overlay : options.overlays) {
        add_overlay(options, overlay, bundle_directory, bundle, mounts);
    }
    if (options.overlays.empty() && !options.overlay_to.empty()) {
        throw_error(ErrorKind::usage, "overlay-to: there is no overlay whose writes it could keep");
    }
    for (const MadeFile& file : options.files) {
        add_file(file, bundle, mounts);
    }
    for (const Symlink& link : options.symlinks) {
        add_symlink(link, bundle, mounts);
    }
}

} // namespace coracle::sandbox
