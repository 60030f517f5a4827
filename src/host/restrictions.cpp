#include "coracle/host/restrictions.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/sys/file.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <linux/stat.h>
#include <optional>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>

namespace coracle::host {

namespace {

/// The first line of a small file below /proc; "" if it cannot be read.
std::string read_line(int proc_fd, const std::string& path) {
    try {
        constexpr std::size_t limit = std::size_t{64} << 10;
        sys::Fd file = sys::open_at(proc_fd, path, O_RDONLY | O_NONBLOCK);
        std::string text = sys::read_all(file.get(), limit, path);
        return text.substr(0, text.find_first_of(std::string_view("\n\0", 2)));
    } catch (const Error&) { // catch: only decorates another error
        return {};
    }
}

struct Limit {
    std::string sysctl;
    std::uint64_t value;
};

std::vector<Limit> read_limits(int proc_fd, const std::vector<NamespaceKind>& kinds) {
    std::vector<Limit> limits;
    for (NamespaceKind kind : kinds) {
        std::string name = std::string("max_") + proc_name_of(kind) + "_namespaces";
        std::optional<std::uint64_t> value =
            parse_unsigned(read_line(proc_fd, "sys/user/" + name), UINT64_MAX);
        if (value) {
            limits.push_back({"user." + name, *value});
        }
    }
    return limits;
}

std::string explain_limits(int proc_fd, const std::vector<NamespaceKind>& kinds) {
    std::vector<Limit> limits = read_limits(proc_fd, kinds);
    std::vector<std::string> zero;
    for (const Limit& limit : limits) {
        if (limit.value == 0) {
            zero.push_back(limit.sysctl + " is 0");
        }
    }
    if (!zero.empty()) {
        return join(zero, ", ") + ": an administrator must raise it, with sysctl -w";
    }
    const auto lowest =
        std::min_element(limits.begin(), limits.end(),
                         [](const Limit& a, const Limit& b) { return a.value < b.value; });
    if (lowest == limits.end()) {
        return {};
    }
    return "so many namespaces exist already: the lowest limit here is " + lowest->sysctl + " = " +
           std::to_string(lowest->value) +
           "; an outer user namespace may have a lower one, and 32 may be nested";
}

/// Nothing, if it is not in a chroot or its root is a mount.
bool is_in_chroot() {
    struct statx status {};
    return ::statx(AT_FDCWD, "/", 0, 0, &status) == 0 &&
           (status.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) != 0 &&
           (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) == 0;
}

std::string explain_apparmor(int proc_fd) {
    if (read_line(proc_fd, "sys/kernel/apparmor_restrict_unprivileged_userns") != "1" ||
        ::geteuid() == 0) {
        return {};
    }
    std::string label = read_line(proc_fd, "self/attr/apparmor/current");
    if (label.empty()) {
        label = read_line(proc_fd, "self/attr/current");
    }
    return "kernel.apparmor_restrict_unprivileged_userns is 1 and this process is " +
           (label.empty() ? std::string("not allowed to use them")
                          : "\"" + printable(label) + "\"") +
           ": give coracle an AppArmor profile with \"userns,\" (contrib/apparmor), or have an "
           "administrator set that to 0";
}

bool has_seccomp_filter(int proc_fd) {
    try {
        sys::Fd file = sys::open_at(proc_fd, "self/status", O_RDONLY);
        std::string text = sys::read_all(file.get(), std::size_t{64} << 10, "status");
        return text.find("\nSeccomp:\t2\n") != std::string::npos;
    } catch (const Error&) { // catch: only decorates another error
        return false;
    }
}

std::string explain_user_namespace(int proc_fd) {
    if (read_line(proc_fd, "sys/kernel/unprivileged_userns_clone") == "0" && ::geteuid() != 0) {
        return "kernel.unprivileged_userns_clone is 0, so only root may make user namespaces: an "
               "administrator must set it to 1 with sysctl -w";
    }
    std::string apparmor = explain_apparmor(proc_fd);
    if (!apparmor.empty()) {
        return apparmor;
    }
    if (is_in_chroot()) {
        return "this process runs in a chroot, where the kernel makes no user namespace: run "
               "coracle outside, or enter the root with unshare --mount and pivot_root";
    }
    return {};
}

} // namespace

std::string explain_refusal(int proc_fd, Refused what, int errnum,
                            const std::vector<NamespaceKind>& kinds) {
    if (errnum == ENOSPC || errnum == EUSERS) {
        return explain_limits(proc_fd, kinds);
    }
    if (errnum == EINVAL && is_in_chroot()) {
        return "this process runs in a chroot that is no mount: mount --bind the directory on "
               "itself before chroot";
    }
    bool in_namespaces = what == Refused::namespaces;
    if (errnum != EPERM && errnum != ENOSYS && !(in_namespaces && errnum == EACCES)) {
        return {};
    }
    bool new_user_namespace = errnum != ENOSYS && std::find(kinds.begin(), kinds.end(),
                                                            NamespaceKind::user) != kinds.end();
    std::string why = new_user_namespace ? explain_user_namespace(proc_fd) : std::string();
    if (!why.empty()) {
        return why;
    }
    if (has_seccomp_filter(proc_fd)) {
        return "a seccomp filter is on this process, as an outer container or service sets one: "
               "give that one a profile that allows unshare and mount";
    }
    return new_user_namespace && in_namespaces
               ? "a security module, or a chroot, forbids user namespaces here"
               : "";
}

} // namespace coracle::host
