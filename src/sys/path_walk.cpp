#include "path_walk_private.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/sys/file.h"
#include "coracle/sys/mount.h"

#include <array>
#include <cerrno>
#include <climits>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <vector>

namespace coracle::sys {

namespace {

constexpr int max_symlinks = 40; // as many as the kernel follows: path_resolution(7)
constexpr int max_retries = 128;
constexpr unsigned long no_symlink_follow = 0x2000; // ST_NOSYMFOLLOW, Linux >= 5.10

bool is_same_directory(int first, int second) {
    struct stat one = stat_of(first, "directory");
    struct stat two = stat_of(second, "directory");
    return one.st_dev == two.st_dev && one.st_ino == two.st_ino &&
           mount_id_of(first) == mount_id_of(second);
}

/// Whether the kernel would not follow the link `fd` in `directory`: on a mount that says so, or a
/// magic one. Those of procfs are all in directories below that of a process.
bool is_never_followed(int directory, int fd) {
    constexpr ino_t root_of_procfs = 1;
    struct statfs status {};
    if (::fstatfs(fd, &status) != 0 ||
        (static_cast<unsigned long>(status.f_flags) & no_symlink_follow) != 0) {
        return true;
    }
    return status.f_type == PROC_SUPER_MAGIC &&
           stat_of(directory, "directory").st_ino != root_of_procfs;
}

class Walk {
  public:
    Walk(int root_fd, int flags, Symlinks symlinks)
        : root_fd_(root_fd), flags_(flags), symlinks_(symlinks) {}

    int run(const std::string& path, Fd& result) {
        push(path);
        while (!pending_.empty()) {
            std::string name = std::move(pending_.back());
            pending_.pop_back();
            int errnum = name == ".." ? climb() : name == "." ? 0 : step(name, result);
            if (errnum != 0 || result) {
                return errnum;
            }
        }
        return try_open_at(current(), ".", flags_, 0, result);
    }

  private:
    [[nodiscard]] int current() const noexcept {
        return directories_.empty() ? root_fd_ : directories_.back().get();
    }

    /// The components of `path` come next. A slash at its end asks for a directory, as "." does.
    void push(const std::string& path) {
        if (path.ends_with('/')) {
            pending_.emplace_back(".");
        }
        std::vector<std::string_view> parts = split(path, '/');
        for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
            if (!part->empty()) {
                pending_.emplace_back(*part);
            }
        }
    }

    /// To the parent; the root's is the root itself.
    int climb() {
        if (directories_.empty()) {
            return 0;
        }
        Fd child = std::move(directories_.back());
        directories_.pop_back();
        Fd parent;
        int errnum = try_open_at(child.get(), "..", O_PATH | O_DIRECTORY, 0, parent);
        return errnum == 0 && !is_same_directory(parent.get(), current()) ? EAGAIN : errnum;
    }

    int step(const std::string& name, Fd& result) {
        Fd next;
        int errnum = try_open_at(current(), name, O_PATH | O_NOFOLLOW, 0, next);
        if (errnum != 0) {
            return errnum;
        }
        mode_t mode = stat_of(next.get(), name).st_mode;
        bool last = pending_.empty();
        if (S_ISLNK(mode) && !(last && (flags_ & O_NOFOLLOW) != 0)) {
            return follow(next.get());
        }
        if (!last && !S_ISDIR(mode)) {
            return ENOTDIR;
        }
        if (!last) {
            directories_.push_back(std::move(next));
            return 0;
        }
        if ((flags_ & O_PATH) != 0) {
            bool refused = (flags_ & O_DIRECTORY) != 0 && !S_ISDIR(mode);
            result = refused ? Fd() : std::move(next);
            return refused ? ENOTDIR : 0;
        }
        // In its place may be a link by now: refused.
        return try_open_at(current(), name, flags_ | O_NOFOLLOW, 0, result);
    }

    int follow(int link) {
        if (symlinks_ == Symlinks::refuse || ++followed_ > max_symlinks ||
            is_never_followed(current(), link)) {
            return ELOOP;
        }
        std::array<char, PATH_MAX> target{};
        ssize_t length = ::readlinkat(link, "", target.data(), target.size());
        if (length <= 0) {
            return length < 0 ? errno : ENOENT;
        }
        if (target.front() == '/') {
            directories_.clear();
        }
        push({target.data(), static_cast<std::size_t>(length)});
        return 0;
    }

    int root_fd_;
    int flags_;
    Symlinks symlinks_;
    int followed_ = 0;
    std::vector<Fd> directories_;      ///< from below the root to the current one
    std::vector<std::string> pending_; ///< the next one last
};

} // namespace

int walk_in_root(int root_fd, const std::string& path, int flags, Symlinks symlinks,
                 Fd& result) noexcept {
    if (path.empty() || path.size() >= PATH_MAX) {
        return path.empty() ? ENOENT : ENAMETOOLONG;
    }
    for (int attempt = 0;; ++attempt) {
        int errnum = 0;
        try {
            errnum = Walk(root_fd, flags, symlinks).run(path, result);
        } catch (const Error& error) { // catch: the caller branches on the errno
            errnum = error.errnum();
        }
        if (errnum != EAGAIN || attempt >= max_retries) {
            return errnum;
        }
    }
}

} // namespace coracle::sys
