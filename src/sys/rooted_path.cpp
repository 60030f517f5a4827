#include "coracle/sys/rooted_path.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/sys/access.h"
#include "coracle/sys/file.h"
#include "coracle/sys/refused.h"
#include "path_walk_private.h"

#include <cerrno>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string_view>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <vector>

namespace coracle::sys {

namespace {

constexpr int max_retries = 128;
constexpr int max_symlinks = 40; // as many as the kernel follows: path_resolution(7)

/// "a//b/./c" as its components; ".." stays: only the kernel knows what it means.
std::vector<std::string> components_of(const std::string& path) {
    std::vector<std::string> components;
    for (std::string_view part : split(path, '/')) {
        if (!part.empty() && part != ".") {
            components.emplace_back(part);
        }
    }
    return components;
}

std::string path_of(const std::vector<std::string>& components, std::size_t count) {
    std::string path = "/";
    for (std::size_t i = 0; i < count; ++i) {
        path += i == 0 ? "" : "/";
        path += components[i];
    }
    return path;
}

/// How many leading components exist, and the fd of the last of them.
std::size_t open_existing_prefix(int root_fd, const std::vector<std::string>& components,
                                 std::size_t limit, Fd& prefix) {
    for (std::size_t count = limit;; --count) {
        std::string path = path_of(components, count);
        int errnum = try_open_in_root(root_fd, path, O_PATH, Symlinks::follow, prefix);
        if (errnum == 0) {
            return count;
        }
        if (errnum != ENOENT || count == 0) {
            throw_system(errnum, "open " + printable(path) + " in the root file system");
        }
    }
}

int make_node(int dir_fd, const std::string& name, NodeKind kind) noexcept {
    if (kind == NodeKind::directory) {
        return try_make_directory(dir_fd, name, 0755);
    }
    Fd made;
    return try_open_at(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644, made);
}

/// Makes the components from `next` on below `current`. If one is a symbolic link that dangles,
/// nothing, and `redirect` is the path to go on with.
Fd make_components(Fd current, const std::vector<std::string>& components, std::size_t next,
                   NodeKind last_kind, std::string& redirect) {
    for (; next < components.size(); ++next) {
        const std::string& name = components[next];
        std::string path = path_of(components, next + 1);
        if (name == "..") {
            throw_error(ErrorKind::denied,
                        printable(path) + ": climbs through a directory that does not exist");
        }
        NodeKind kind = next + 1 == components.size() ? last_kind : NodeKind::directory;
        int errnum = make_node(current.get(), name, kind);
        if (errnum != 0 && errnum != EEXIST) {
            throw_system(errnum, "create " + printable(path) + " in the root file system",
                         explain_path(errnum, current.get(), name, W_OK,
                                      "<root>" + path_of(components, next)));
        }
        Fd made = open_at(current.get(), name, O_PATH | O_NOFOLLOW);
        mode_t mode = stat_of(made.get(), path).st_mode;
        if (S_ISLNK(mode)) {
            std::string target = read_link(current.get(), name);
            redirect = target.starts_with('/') ? target : path_of(components, next) + "/" + target;
            for (std::size_t rest = next + 1; rest < components.size(); ++rest) {
                redirect += "/" + components[rest];
            }
            return {};
        }
        if (kind == NodeKind::directory && !S_ISDIR(mode)) {
            throw_system(ENOTDIR, "create " + printable(path) + " in the root file system");
        }
        current = std::move(made);
    }
    return current;
}

[[noreturn]] void throw_not_opened(int errnum, int root_fd, const std::string& path) {
    throw_system(errnum, "open " + printable(path) + " in the root file system",
                 explain_in_root(errnum, root_fd, path, "<root>"));
}

} // namespace

int try_open_in_root(int root_fd, const std::string& path, int flags, Symlinks symlinks,
                     Fd& result) noexcept {
    struct open_how how {};
    how.flags = static_cast<unsigned>(flags | O_CLOEXEC);
    how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
    if (symlinks == Symlinks::refuse) {
        how.resolve |= RESOLVE_NO_SYMLINKS;
    }
    for (int attempt = 0;; ++attempt) {
        long fd = ::syscall(SYS_openat2, root_fd, path.c_str(), &how, sizeof how);
        if (fd >= 0) {
            result.reset(static_cast<int>(fd));
            return 0;
        }
        int saved = errno;
        if (is_refused(SYS_openat2, saved)) {
            return walk_in_root(root_fd, path, flags, symlinks, result);
        }
        // EAGAIN: a rename or mount elsewhere raced with "..".
        if ((saved != EAGAIN && saved != EINTR) || attempt >= max_retries) {
            return saved;
        }
    }
}

std::string explain_in_root(int errnum, int root_fd, const std::string& path,
                            const std::string& base) {
    std::vector<std::string> components = components_of(path);
    Fd reached;
    for (std::size_t count = components.size(); errnum == EACCES; --count) {
        std::string prefix = path_of(components, count);
        if (try_open_in_root(root_fd, prefix, O_PATH, Symlinks::follow, reached) == 0) {
            return explain_path(errnum, reached.get(), ".", X_OK,
                                prefix == "/" ? base : base + prefix);
        }
        if (count == 0) {
            break;
        }
    }
    return {};
}

Fd open_in_root(int root_fd, const std::string& path, int flags, Symlinks symlinks) {
    Fd result;
    int errnum = try_open_in_root(root_fd, path, flags, symlinks, result);
    if (errnum != 0) {
        throw_not_opened(errnum, root_fd, path);
    }
    return result;
}

Fd make_in_root(int root_fd, const std::string& path, NodeKind kind) {
    Fd found;
    int errnum = try_open_in_root(root_fd, path, O_PATH, Symlinks::follow, found);
    if (errnum == 0) {
        return found;
    }
    if (errnum != ENOENT) {
        throw_not_opened(errnum, root_fd, path);
    }
    std::string wanted = path;
    for (int followed = 0; followed < max_symlinks; ++followed) {
        std::vector<std::string> components = components_of(wanted);
        Fd prefix;
        // The whole of it was looked for above.
        std::size_t whole = components.size();
        std::size_t existing = open_existing_prefix(
            root_fd, components, followed == 0 && whole > 0 ? whole - 1 : whole, prefix);
        std::string redirect;
        Fd made = make_components(std::move(prefix), components, existing, kind, redirect);
        if (made) {
            return made;
        }
        wanted = redirect;
    }
    throw_system(ELOOP, "create " + printable(path) + " in the root file system");
}

Parent open_parent_in_root(int root_fd, const std::string& path) {
    std::vector<std::string> components = components_of(path);
    if (components.empty() || components.back() == "..") {
        throw_error(ErrorKind::denied, printable(path) + ": does not name an entry");
    }
    std::string name = components.back();
    std::string directory = path_of(components, components.size() - 1);
    return {make_in_root(root_fd, directory, NodeKind::directory), std::move(name)};
}

Fd make_unfollowed_in_root(int root_fd, const std::string& path, NodeKind kind) {
    Parent parent = open_parent_in_root(root_fd, path);
    int directory = parent.directory.get();
    Fd found;
    int errnum = try_open_at(directory, parent.name, O_PATH | O_NOFOLLOW, 0, found);
    if (errnum == ENOENT) {
        errnum = make_node(directory, parent.name, kind);
        if (errnum != 0 && errnum != EEXIST) {
            throw_system(errnum, "create " + printable(path) + " in the root file system",
                         explain_path(errnum, directory, parent.name, W_OK));
        }
        errnum = try_open_at(directory, parent.name, O_PATH | O_NOFOLLOW, 0, found);
    }
    if (errnum != 0) {
        throw_not_opened(errnum, root_fd, path);
    }
    return found;
}

} // namespace coracle::sys
