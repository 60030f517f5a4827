#include "coracle/sys/namespace.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/sys/file.h"
#include "coracle/sys/refused.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace coracle::sys {

Fd open_namespace(const std::string& path, NamespaceKind kind) {
    Fd fd = open_at(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    int type = ::ioctl(fd.get(), NS_GET_NSTYPE);
    if (type < 0 || static_cast<std::uint64_t>(type) != clone_flag_of(kind)) {
        throw_error(ErrorKind::invalid_config,
                    printable(path) + ": not a " + name_of(kind) + " namespace");
    }
    return fd;
}

bool is_current_namespace(int namespace_fd, NamespaceKind kind) {
    struct stat theirs = stat_of(namespace_fd, "namespace");
    std::string own_path = std::string("/proc/self/ns/") + proc_name_of(kind);
    struct stat own {};
    if (::stat(own_path.c_str(), &own) != 0) {
        int saved = errno;
        throw_system(saved, "stat " + own_path);
    }
    return theirs.st_dev == own.st_dev && theirs.st_ino == own.st_ino;
}

bool is_owned_by_current_user_namespace(int namespace_fd) {
    // EPERM: the owner is outside of what this user namespace may see, so it is not ours.
    Fd owner{::ioctl(namespace_fd, NS_GET_USERNS)}; // close-on-exec by itself
    return owner && is_current_namespace(owner.get(), NamespaceKind::user);
}

void join_namespace(int namespace_fd, NamespaceKind kind) {
    if (::setns(namespace_fd, static_cast<int>(clone_flag_of(kind))) != 0) {
        int saved = errno;
        throw_system(saved, std::string("join the ") + name_of(kind) + " namespace" +
                                describe_refusal(SYS_setns, saved));
    }
}

namespace {

/// "user, mount"
std::string names_of(std::uint64_t clone_flags) {
    std::string kinds;
    for (NamespaceKind kind : namespace_kinds()) {
        if ((clone_flags & clone_flag_of(kind)) != 0) {
            kinds += kinds.empty() ? "" : ", ";
            kinds += name_of(kind);
        }
    }
    return kinds;
}

} // namespace

void join_namespaces(int fd, std::uint64_t clone_flags) {
    if (::setns(fd, static_cast<int>(clone_flags)) != 0) {
        int saved = errno;
        throw_system(saved, "join namespaces (" + names_of(clone_flags) + ")" +
                                describe_refusal(SYS_setns, saved));
    }
}

void unshare_namespaces(std::uint64_t clone_flags) {
    if (clone_flags == 0 || ::unshare(static_cast<int>(clone_flags)) == 0) {
        return;
    }
    int saved = errno;
    throw_system(saved, "make new namespaces (" + names_of(clone_flags) + ")" +
                            describe_refusal(SYS_unshare, saved));
}

void enter_new_time_namespace(int proc_fd) {
    Fd made = open_at(proc_fd, "self/ns/time_for_children", O_RDONLY);
    join_namespace(made.get(), NamespaceKind::time);
}

void bring_loopback_up() {
    Fd socket{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    struct ifreq request {};
    std::memcpy(static_cast<char*>(request.ifr_name), "lo", 3);
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    if (!socket || ::ioctl(socket.get(), SIOCSIFFLAGS, &request) != 0) {
        int saved = errno;
        throw_system(saved, "bring the loopback device up");
    }
}

void set_hostname(const std::string& name) {
    if (::sethostname(name.c_str(), name.size()) != 0) {
        int saved = errno;
        throw_system(saved, "set hostname " + printable(name));
    }
}

void set_domainname(const std::string& name) {
    if (::setdomainname(name.c_str(), name.size()) != 0) {
        int saved = errno;
        throw_system(saved, "set domainname " + printable(name));
    }
}

} // namespace coracle::sys
