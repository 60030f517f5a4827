#include "coracle/sys/access.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/sys/fd.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <fcntl.h>
#include <string_view>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <vector>

namespace coracle::sys {

namespace {

constexpr int max_links = 8; // enough to explain; the kernel follows 40
constexpr uid_t overflow_id = 65534;

/// "/a//b" as "/", "/a", "/a//b"; "a/b" as ".", "a", "a/b".
std::vector<std::string> prefixes_of(const std::string& path) {
    std::vector<std::string> prefixes{path.starts_with('/') ? "/" : "."};
    for (std::size_t start = path.find_first_not_of('/'); start != std::string::npos;) {
        std::size_t end = path.find('/', start);
        prefixes.push_back(path.substr(0, end));
        start = path.find_first_not_of('/', end);
    }
    return prefixes;
}

std::string octal_mode(mode_t mode) {
    std::string text = "0000";
    for (std::size_t i = 0; i < 4; ++i) {
        text[3 - i] = static_cast<char>('0' + (mode >> (3 * i) & 7U));
    }
    return text;
}

bool is_in_group(gid_t gid) {
    if (gid == overflow_id) { // also what a group that is not mapped looks like
        return false;
    }
    std::vector<gid_t> groups(static_cast<std::size_t>(std::max(::getgroups(0, nullptr), 0)));
    int count = ::getgroups(static_cast<int>(groups.size()), groups.data());
    groups.resize(static_cast<std::size_t>(std::max(count, 0)));
    return gid == ::getegid() || std::find(groups.begin(), groups.end(), gid) != groups.end();
}

/// Whose three bits of the mode count, as chmod(1) names them.
char class_of_caller(const struct stat& status) {
    if (status.st_uid == ::geteuid()) {
        return 'u';
    }
    return is_in_group(status.st_gid) ? 'g' : 'o';
}

std::string describe_owner(const std::string& shown, const struct stat& status) {
    std::string owner = std::to_string(status.st_uid) + ":" + std::to_string(status.st_gid);
    if (status.st_uid == overflow_id) {
        owner += ", which is nobody or not mapped here";
    }
    return printable(shown) + " (owner " + owner + ", mode " + octal_mode(status.st_mode & 07777U) +
           ")";
}

/// "/root (owner 0:0, mode 0700) has no x for others: chmod o+x /root, or use another place".
std::string describe_lack(const std::string& shown, const struct stat& status, char bit) {
    char who = class_of_caller(status);
    unsigned shift = who == 'u' ? 6 : who == 'g' ? 3 : 0;
    unsigned mask = (bit == 'r' ? 4U : bit == 'w' ? 2U : 1U) << shift;
    std::string text = describe_owner(shown, status);
    if ((status.st_mode & mask) != 0) {
        return text + " allows it by its mode, so an ACL or a security module forbids it";
    }
    const char* name = who == 'u' ? "its owner" : who == 'g' ? "its group" : "others";
    text += std::string(" has no ") + bit + " for " + name + ": ";
    // Writable for everybody is no cure.
    text += who == 'o' && bit == 'w'
                ? std::string("make it yours (chown, or an ACL)")
                : std::string("chmod ") + who + "+" + bit + " " + printable(shown);
    return text + ", or use another place";
}

std::uint64_t find_mount_id(int dir_fd, const std::string& path) {
    struct statx status {};
    return ::statx(dir_fd, path.c_str(), 0, STATX_MNT_ID, &status) == 0 ? status.stx_mnt_id : 0;
}

/// Where the mount begins that `path` is in, as far as no symbolic link hides it.
std::string mount_point_of(int dir_fd, const std::string& path) {
    std::uint64_t id = find_mount_id(dir_fd, path);
    for (const std::string& prefix : prefixes_of(path)) {
        if (find_mount_id(dir_fd, prefix) == id) {
            return prefix;
        }
    }
    return path;
}

bool is_noexec(int dir_fd, const std::string& path) {
    Fd fd{::openat(dir_fd, path.c_str(), O_PATH | O_CLOEXEC)};
    struct statvfs status {};
    return fd && ::fstatvfs(fd.get(), &status) == 0 && (status.f_flag & ST_NOEXEC) != 0;
}

/// "." as the directory itself: a look-up of "." would need search permission in it.
const char* name_below(const std::string& path) {
    return path == "." ? "" : path.c_str();
}

bool stat_at(int dir_fd, const std::string& path, struct stat& status) {
    return ::fstatat(dir_fd, name_below(path), &status, AT_EMPTY_PATH) == 0;
}

bool may(int dir_fd, const std::string& path, AccessMode mode) {
    // Any other errno says nothing about rights: faccessat2(2) may be refused itself.
    return ::faccessat(dir_fd, name_below(path), mode, AT_EACCESS | AT_EMPTY_PATH) == 0 ||
           errno != EACCES;
}

std::string target_of(int dir_fd, const std::string& path) {
    std::array<char, PATH_MAX> buffer{};
    ssize_t length = ::readlinkat(dir_fd, path.c_str(), buffer.data(), buffer.size());
    return length <= 0 ? std::string()
                       : std::string(buffer.data(), static_cast<std::size_t>(length));
}

class Walk {
  public:
    Walk(int dir_fd, AccessMode wanted, const std::string& base)
        : dir_fd_(dir_fd), wanted_(wanted), base_(base) {}

    [[nodiscard]] std::string explain(const std::string& path, int links) const {
        std::vector<std::string> prefixes = prefixes_of(path);
        for (std::size_t i = 0; i < prefixes.size(); ++i) {
            bool last = i + 1 == prefixes.size();
            struct stat status {};
            if (!stat_at(dir_fd_, prefixes[i], status)) {
                int saved = errno;
                return explain_failure(saved, prefixes, i, links);
            }
            if (last) {
                return explain_bits(prefixes[i], status, wanted_);
            }
            if (!S_ISDIR(status.st_mode)) {
                return printable(shown(prefixes[i])) + " is not a directory";
            }
            if (!may(dir_fd_, prefixes[i], X_OK)) {
                return describe_lack(shown(prefixes[i]), status, 'x');
            }
        }
        return {};
    }

  private:
    [[nodiscard]] std::string shown(const std::string& path) const {
        if (base_.empty() || path.starts_with('/')) {
            return path;
        }
        return path == "." ? base_ : base_ + (base_.ends_with('/') ? "" : "/") + path;
    }

    /// What `wanted` lacks of a path that can be reached.
    [[nodiscard]] std::string explain_bits(const std::string& path, const struct stat& status,
                                           AccessMode wanted) const {
        if ((wanted & X_OK) != 0 && S_ISREG(status.st_mode) && is_noexec(dir_fd_, path)) {
            return printable(shown(path)) + " is on a mount with the option noexec, " +
                   printable(shown(mount_point_of(dir_fd_, path))) + ": mount it without";
        }
        struct Bit {
            AccessMode mode;
            char name;
        };
        for (Bit bit : {Bit{R_OK, 'r'}, Bit{W_OK, 'w'}, Bit{X_OK, 'x'}}) {
            if ((wanted & bit.mode) != 0 && !may(dir_fd_, path, bit.mode)) {
                return describe_lack(shown(path), status, bit.name);
            }
        }
        return {};
    }

    /// `prefixes[index]` cannot be followed, and the one before it can be searched.
    [[nodiscard]] std::string explain_failure(int errnum, const std::vector<std::string>& prefixes,
                                              std::size_t index, int links) const {
        const std::string& path = prefixes[index];
        struct stat status {};
        if (::fstatat(dir_fd_, path.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISLNK(status.st_mode)) {
            return explain_link(errnum, path, links);
        }
        bool last = index + 1 == prefixes.size();
        if (errnum == ENOENT && last && (wanted_ & W_OK) != 0 && index > 0) { // it was to be made
            return explain_directory(prefixes[index - 1]);
        }
        if (errnum == ENOENT && !last) {
            return "there is no " + printable(shown(path));
        }
        if (errnum == EACCES) {
            return printable(shown(path)) +
                   " refuses even stat(2): a FUSE mount of another user does, "
                   "unless it has allow_other";
        }
        return {};
    }

    [[nodiscard]] std::string explain_link(int errnum, const std::string& path, int links) const {
        std::string target = target_of(dir_fd_, path);
        if (links >= max_links || target.empty() || errnum == ELOOP) {
            return printable(shown(path)) + " is a symbolic link in a circle, or one of too many";
        }
        std::string text = printable(shown(path)) + " is a symbolic link to " + printable(target);
        bool relative = !target.starts_with('/');
        std::size_t slash = path.rfind('/');
        if (relative && slash != std::string::npos) {
            target.insert(0, path, 0, slash + 1);
        }
        std::string why = explain(target, links + 1);
        if (why.empty() && errnum == ENOENT) {
            why = "which does not exist";
        }
        return why.empty() ? text : text + ", " + why;
    }

    [[nodiscard]] std::string explain_directory(const std::string& path) const {
        struct stat status {};
        return stat_at(dir_fd_, path, status) ? explain_bits(path, status, W_OK | X_OK)
                                              : std::string();
    }

    int dir_fd_;
    AccessMode wanted_;
    const std::string& base_;
};

} // namespace

std::string explain_path(int errnum, int dir_fd, const std::string& path, AccessMode wanted,
                         const std::string& base) {
    bool walk_tells = errnum == EACCES || errnum == ENOENT || errnum == ENOTDIR || errnum == ELOOP;
    return walk_tells && !path.empty() ? Walk(dir_fd, wanted, base).explain(path, 0)
                                       : std::string();
}

void throw_path_error(int errnum, const std::string& what, int dir_fd, const std::string& path,
                      AccessMode wanted) {
    throw_system(errnum, what, explain_path(errnum, dir_fd, path, wanted));
}

} // namespace coracle::sys
