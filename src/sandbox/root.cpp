#include "host_view_private.h"
#include "make_bundle_private.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/sandbox/network.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace coracle::sandbox {

namespace {

/// Directories of the host's root that the sandbox has its own of, or no use for: homes, sockets,
/// other people's temporary files, the kernel's images.
bool is_left_out(std::string_view name) {
    constexpr std::array<std::string_view, 10> names{"boot", "dev", "home", "lost+found", "proc",
                                                     "root", "run", "sys",  "tmp",        "efi"};
    return std::ranges::find(names, name) != names.end();
}

/// What a directory of another file system may hold is not for the payload to execute as another
/// user, nor a device.
std::vector<std::string> read_only_tree() {
    return {"rbind", "rro", "nosuid", "nodev"};
}

void add_directory(Bundle& bundle, const std::string& path, std::uint32_t mode) {
    bundle.entries.push_back({EntryKind::directory, path, "", mode});
}

/// The host's own files: each directory of its root, and the symbolic links beside them.
void add_host_root(Bundle& bundle, MountList& mounts) {
    add_directory(bundle, "rootfs", 0755);
    for (const RootEntry& entry : find_root_entries()) {
        if (!entry.link.empty()) {
            bundle.entries.push_back({EntryKind::symlink, "rootfs/" + entry.name, entry.link, 0});
        } else if (!is_left_out(entry.name)) {
            mounts.add(Author::frame,
                       make_bind("/" + entry.name, "/" + entry.name, read_only_tree()));
        }
    }
}

/// Inside a directory of the host that is shown, homes and temporary files are hidden by a tmpfs.
void add_veils(const Options& options, const Surroundings& host, MountList& mounts) {
    mounts.add(Author::veil, make_tmpfs("/tmp", {"nosuid", "nodev", "mode=1777"}));
    mounts.add(Author::veil, make_tmpfs("/run", {"nosuid", "nodev", "mode=0755"}));
    mounts.add(Author::veil, make_tmpfs("/var/tmp", {"nosuid", "nodev", "mode=1777"}));
    std::string home = home_in(options, host);
    std::string parent = home.substr(0, home.rfind('/'));
    bool others_are_near = options.rootfs.empty() && !parent.empty() && parent != "/home";
    if (others_are_near) {
        mounts.add(Author::veil, make_tmpfs(parent, {"nosuid", "nodev", "mode=0755"}));
    }
    if (options.rootfs.empty() && home != "/") {
        mounts.add(Author::veil, make_tmpfs(home, {"nosuid", "nodev", "mode=0700"}));
    }
}

/// The working directory is shown where a veil would hide it, but neither the home directory nor
/// what holds it, nor other programs' sockets.
void show_working_directory(const Options& options, const Surroundings& host, MountList& mounts) {
    if (!options.rootfs.empty() || !options.directory.empty() ||
        find_kind(host.directory) != FileKind::directory) {
        return;
    }
    const std::string& directory = host.directory;
    bool holds_home = !host.home.empty() && is_in(host.home, directory);
    bool is_veil = directory == "/" || directory == "/tmp" || directory == "/var/tmp" ||
                   directory == "/home" || is_in(directory, "/run") || is_in(directory, "/dev") ||
                   is_in(directory, "/proc") || is_in(directory, "/sys");
    if (!holds_home && !is_veil) {
        mounts.add(Author::veil, make_bind(directory, directory, read_only_tree()));
    }
}

void add_devices(const Options& options, MountList& mounts) {
    mounts.add(Author::frame, make_tmpfs("/dev", {"nosuid", "noexec", "mode=0755", "size=65536k"}));
    mounts.add(Author::frame, {"/dev/pts",
                               "devpts",
                               "devpts",
                               {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"},
                               {},
                               {}});
    mounts.add(Author::frame, make_tmpfs("/dev/shm", {"nosuid", "nodev", "noexec", "mode=1777"}));
    mounts.add(Author::frame,
               {"/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}, {}, {}});
    mounts.add(Author::frame, {"/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}, {}, {}});
    mounts.add(Author::frame,
               {"/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"}, {}, {}});
    bool limited = options.memory || options.pids || options.cpus;
    if (limited) {
        mounts.add(
            Author::frame,
            {"/sys/fs/cgroup", "cgroup", "cgroup", {"nosuid", "noexec", "nodev", "ro"}, {}, {}});
    }
}

/// The file that says where names are looked up may be in /run, which is hidden.
void add_resolver(const Options& options, Bundle& bundle, MountList& mounts) {
    if (options.network == Network::none) {
        return;
    }
    std::string file = find_resolver_file();
    if (file.empty()) {
        return;
    }
    std::string place = options.rootfs.empty() ? file : "/etc/resolv.conf";
    if (options.network == Network::pasta && is_resolver_local()) {
        std::string content = std::string("nameserver ") + forwarded_resolver + "\n";
        add_directory(bundle, "resolver", 0700);
        bundle.entries.push_back({EntryKind::file, "resolver/resolv.conf", content, 0444});
        file = "resolver/resolv.conf";
    }
    mounts.add(Author::veil, make_bind(file, place, {"bind", "ro", "nosuid", "nodev", "noexec"}));
}

} // namespace

spec::Mount make_bind(std::string source, std::string destination,
                      std::vector<std::string> options) {
    return {std::move(destination), "bind", std::move(source), std::move(options), {}, {}};
}

spec::Mount make_tmpfs(std::string destination, std::vector<std::string> options) {
    return {std::move(destination), "tmpfs", "tmpfs", std::move(options), {}, {}};
}

std::string home_in(const Options& options, const Surroundings& host) {
    auto given = options.environment.find("HOME");
    if (given != options.environment.end() && given->second.starts_with('/')) {
        return clean_absolute(given->second);
    }
    if (!options.rootfs.empty()) {
        return options.uid.value_or(host.uid) == 0 ? "/root" : "/";
    }
    return host.home.empty() ? "/" : host.home;
}

void add_root(const Options& options, const Surroundings& host, Bundle& bundle, MountList& mounts) {
    spec::Root& root = bundle.config.root.emplace();
    root.readonly = !options.writable_root;
    root.path = options.rootfs.empty() ? "rootfs" : options.rootfs;
    if (options.rootfs.empty()) {
        if (options.writable_root) {
            throw_error(ErrorKind::usage,
                        "rw /: the host's files stay read-only: name the directories that the "
                        "sandbox may write to, or give another root by rootfs");
        }
        add_host_root(bundle, mounts);
    } else if (options.rootfs == "/") {
        throw_error(ErrorKind::usage, "rootfs /: the host's files are what there is without it");
    } else if (find_kind(options.rootfs) != FileKind::directory) {
        throw_error(ErrorKind::usage,
                    "rootfs " + printable(options.rootfs) + ": there is no such directory");
    }
    add_devices(options, mounts);
    add_veils(options, host, mounts);
    show_working_directory(options, host, mounts);
    add_resolver(options, bundle, mounts);
}

} // namespace coracle::sandbox
