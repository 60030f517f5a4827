#include "unit/sys/sys_support.h"

#include "coracle/sys/file.h"
#include "coracle/sys/mount.h"
#include "coracle/sys/namespace.h"
#include "coracle/sys/pivot.h"
#include "coracle/sys/procfs.h"
#include "coracle/sys/refused.h"
#include "support/forked.h"

#include <linux/capability.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>

using namespace coracle;
using namespace coracle::test;
using sys::Fd;

namespace {

/// `work` with a mount namespace of its own in which nothing is shared with the host.
std::optional<std::string> run_with_mounts(const std::function<std::string()>& work) {
    return run_in_user_namespace(0, [&]() -> std::string {
        sys::unshare_namespaces(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET);
        sys::set_namespace_propagation(MS_PRIVATE | MS_REC);
        return work();
    });
}

Fd open_directory(const std::string& path) {
    return sys::open_at(AT_FDCWD, path, O_PATH | O_DIRECTORY);
}

Fd make_tmpfs(const std::vector<std::string>& options, std::uint64_t attributes = 0) {
    Fd result;
    std::string detail;
    sys::FilesystemRequest request{"tmpfs", "tmpfs", options, 0, attributes};
    const int errnum = sys::try_make_filesystem(request, result, detail);
    if (errnum != 0) {
        throw_system(errnum, detail);
    }
    return result;
}

/// Closes the directory, for this process too from now on.
void make_unreachable(const std::string& path) {
    if (::chmod(path.c_str(), 0) != 0) {
        throw_system(errno, "chmod");
    }
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> halves{};
    if (::syscall(SYS_capget, &header, halves.data()) != 0) {
        throw_system(errno, "capget");
    }
    constexpr unsigned access = (1U << CAP_DAC_OVERRIDE) | (1U << CAP_DAC_READ_SEARCH);
    halves[0].effective &= ~access;
    if (::syscall(SYS_capset, &header, halves.data()) != 0) {
        throw_system(errno, "capset");
    }
}

std::string text_of_error(const std::function<void()>& work) {
    try {
        work();
        return {};
    } catch (const Error& error) {
        return error.text() + "; ";
    }
}

/// The name that the host has then.
std::string name_host(const std::string& wanted) {
    sys::set_hostname(wanted);
    sys::set_domainname("test");
    std::array<char, 65> name{};
    (void)::gethostname(name.data(), name.size() - 1);
    return name.data();
}

bool is_read_only(int fd) {
    struct statvfs status {};
    return ::fstatvfs(fd, &status) == 0 && (status.f_flag & ST_RDONLY) != 0;
}

unsigned long flags_of(const std::string& path) {
    struct statvfs status {};
    return ::statvfs(path.c_str(), &status) == 0 ? status.f_flag : 0;
}

} // namespace

TEST_CASE("mount: a new filesystem, attached by fd with its attributes", "[sys]") {
    const TempDir temp;
    check_unless_skipped(
        run_with_mounts([&]() -> std::string {
            const Fd mount =
                make_tmpfs({"mode=0750", "size=64k"}, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
            sys::attach(mount.get(), open_directory(temp.path()).get(), "it");
            const Fd root = open_directory(temp.path());
            std::string text =
                sys::filesystem_magic_of(root.get(), "/") == TMPFS_MAGIC ? "tmpfs " : "other ";
            text += sys::mount_id_of(root.get()) == sys::mount_id_of(mount.get()) ? "same " : "- ";
            text += sys::mount_id_of(root.get()) == sys::mount_id_of(temp.fd()) ? "- " : "new ";
            text += std::to_string(sys::stat_of(root.get(), "r").st_mode & 07777U);
            const unsigned long flags = flags_of(temp.path());
            text += (flags & ST_NOSUID) != 0 && (flags & ST_NODEV) != 0 ? " set" : " lost";
            text += (flags & ST_NOEXEC) != 0 ? " noexec" : "";
            return text + (is_close_on_exec(mount.get()) ? " cloexec" : "");
        }),
        "tmpfs same new 488 set cloexec");
}

TEST_CASE("mount: what the filesystem says is in the detail", "[sys]") {
    check_unless_skipped(
        run_with_mounts([]() -> std::string {
            std::string text;
            for (const sys::FilesystemRequest& request :
                 std::vector<sys::FilesystemRequest>{{"tmpfs", "t", {"nonsense=1"}, 0, 0},
                                                     {"tmpfs", "t", {"size=x"}, 0, 0},
                                                     {"no-such-fs", "t", {}, 0, 0}}) {
                Fd result;
                std::string detail;
                const int errnum = sys::try_make_filesystem(request, result, detail);
                text += std::to_string(errnum) + " " + detail + (result ? " made" : "") + "; ";
            }
            return text;
        }),
        sys::is_refused(SYS_mount_setattr)
            ? "22 mount(2) with nonsense=1; 22 mount(2) with size=x; 19 the kernel does not know "
              "this filesystem; "
            : "22 tmpfs: Unknown parameter 'nonsense'; 22 tmpfs: Bad value for 'size'; "
              "19 the kernel does not know this filesystem; ");
}

TEST_CASE("mount: a tree is cloned with or without what is mounted in it", "[sys]") {
    const TempDir temp;
    temp.directory("from");
    temp.directory("to");
    check_unless_skipped(
        run_with_mounts([&]() -> std::string {
            sys::attach(make_tmpfs({}).get(), open_directory(temp.path("from")).get(), "from");
            temp.directory("from/inner");
            sys::attach(make_tmpfs({}).get(), open_directory(temp.path("from/inner")).get(), "i");
            temp.file("from/inner/f");
            const Fd target = open_directory(temp.path("to"));
            const Fd single = sys::clone_tree(AT_FDCWD, temp.path("from"), sys::TreeDepth::single);
            sys::attach(single.get(), target.get(), "to");
            std::string text = temp.has("to/inner/f") ? "f " : "empty ";
            (void)::umount2(temp.path("to").c_str(), MNT_DETACH);
            const Fd from = open_directory(temp.path("from"));
            const Fd tree = sys::clone_tree(from.get(), "", sys::TreeDepth::recursive);
            sys::attach(tree.get(), target.get(), "to");
            text += temp.has("to/inner/f") ? "f " : "empty ";
            // Read-only for the one mount, then for all of them.
            sys::set_attributes(tree.get(), {MOUNT_ATTR_RDONLY, 0, 0}, sys::TreeDepth::single,
                                "to");
            text += (flags_of(temp.path("to")) & ST_RDONLY) != 0 ? "ro " : "rw ";
            text += (flags_of(temp.path("to/inner")) & ST_RDONLY) != 0 ? "ro " : "rw ";
            sys::set_attributes(tree.get(), {MOUNT_ATTR_RDONLY, 0, MS_SLAVE},
                                sys::TreeDepth::recursive, "to");
            text += (flags_of(temp.path("to/inner")) & ST_RDONLY) != 0 ? "ro " : "rw ";
            text += (flags_of(temp.path("from")) & ST_RDONLY) != 0 ? "ro" : "rw";
            return text;
        }),
        "empty f ro rw ro rw");
}

TEST_CASE("mount: a change of a tree reaches every mount that can be reached", "[sys]") {
    const TempDir temp;
    temp.directory("from");
    temp.directory("to");
    check_unless_skipped(
        run_with_mounts([&]() -> std::string {
            const auto mount_on = [&](const std::string& name) {
                temp.directory(name);
                sys::attach(make_tmpfs({}, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOATIME).get(),
                            open_directory(temp.path(name)).get(), name);
            };
            mount_on("from");
            mount_on("from/a b");
            mount_on("from/a b/hidden");
            mount_on("from/a b"); // covers the last two
            mount_on("from/a b/deep");
            mount_on("from/a b/deep/er");
            const Fd tree = sys::clone_tree(AT_FDCWD, temp.path("from"), sys::TreeDepth::recursive);
            sys::set_attributes(
                tree.get(), {MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NODEV, MS_PRIVATE},
                sys::TreeDepth::recursive, "to");
            sys::attach(tree.get(), open_directory(temp.path("to")).get(), "to");
            std::string text;
            for (const char* name :
                 {"to", "to/a b", "to/a b/deep", "to/a b/deep/er", "from/a b/deep/er"}) {
                const unsigned long flags = flags_of(temp.path(name));
                text += (flags & ST_RDONLY) != 0 ? "ro" : "rw";
                text += (flags & ST_NOEXEC) != 0 ? " noexec" : "";
                text += (flags & ST_NODEV) != 0 ? " nodev" : "";
                text += (flags & ST_NOATIME) != 0 ? " noatime; " : "; ";
            }
            return text;
        }),
        "ro noexec noatime; ro noexec noatime; ro noexec noatime; "
        "ro noexec noatime; rw nodev noatime; ");
}

TEST_CASE("mount: a mount of a tree behind a closed directory is named, or left out", "[sys]") {
    const TempDir temp;
    check_unless_skipped(
        run_with_mounts([&]() -> std::string {
            const auto mount_on = [&](const std::string& name) {
                temp.directory(name);
                sys::attach(make_tmpfs({"mode=755"}).get(), open_directory(temp.path(name)).get(),
                            name);
                return open_directory(temp.path(name));
            };
            const Fd tree = mount_on("from");
            const Fd open = mount_on("from/open");
            const Fd closed = mount_on("from/closed");
            temp.directory("from/closed/more");
            const Fd inner = mount_on("from/closed/more/inner");
            make_unreachable(temp.path("from/closed"));
            const sys::AttributeRequest read_only{MOUNT_ATTR_RDONLY, 0, 0};
            std::string text = text_of_error([&] {
                sys::set_attributes(tree.get(), read_only, sys::TreeDepth::recursive, "/it");
            });
            for (const std::string& place :
                 sys::set_reachable_attributes(tree.get(), read_only, "/it")) {
                text += "without " + place + "; ";
            }
            for (const Fd* mount : {&tree, &open, &closed, &inner}) {
                text += is_read_only(mount->get()) ? "ro " : "rw ";
            }
            return text;
        }),
        sys::is_refused(SYS_mount_setattr)
            ? "set mount attributes of /it/closed/more/inner, by its path for want of "
              "the mount API and mount_setattr(2), Linux >= 5.12: permission denied (/it/closed "
              "(owner 0:0, mode "
              "0000) has no x for its owner: chmod u+x /it/closed, or use another place); "
              "without /closed/more/inner; ro ro ro rw "
            : "ro ro ro ro ");
}

TEST_CASE("mount: a locked attribute is not cleared", "[sys]") {
    check_unless_skipped(
        run_with_mounts([]() -> std::string {
            // /proc of the host is nosuid, and here it is locked.
            const Fd proc = sys::clone_tree(AT_FDCWD, "/proc", sys::TreeDepth::recursive);
            std::string place;
            const int errnum = sys::try_set_attributes(proc.get(), {0, MOUNT_ATTR_NOSUID, 0},
                                                       sys::TreeDepth::single, place);
            return errnum == EPERM || (flags_of("/proc") & ST_NOSUID) == 0 ? "kept" : "cleared";
        }),
        "kept");
    Fd result;
    CHECK(sys::try_clone_tree(AT_FDCWD, "/no/such/path", sys::TreeDepth::single, result) != 0);
    // EPERM without privilege, else EBADF.
    holds(error_of([] {
              sys::set_attributes(-1, {MOUNT_ATTR_RDONLY, 0, 0}, sys::TreeDepth::single, "it");
          }).text(),
          "set mount attributes of it: ");
}

TEST_CASE("mount: pivot leaves nothing of the old root", "[sys]") {
    const TempDir temp;
    for (const auto enter : {&sys::pivot_into, &sys::move_into}) {
        check_unless_skipped(
            run_with_mounts([&]() -> std::string {
                const Fd mount = make_tmpfs({});
                sys::attach(mount.get(), open_directory(temp.path()).get(), "root");
                temp.file("inside");
                enter(mount.get());
                std::string text = sys::current_directory() + " ";
                text += sys::find_stat(AT_FDCWD, "/inside") ? "inside " : "- ";
                text += sys::find_stat(AT_FDCWD, "/etc") ? "host " : "- ";
                return text + (sys::find_stat(AT_FDCWD, "/../../etc") ? "host" : "-");
            }),
            "/ inside - -");
    }
}

TEST_CASE("namespaces: opened with their kind checked", "[sys]") {
    const Fd own = sys::open_namespace("/proc/self/ns/net", NamespaceKind::network);
    CHECK(is_close_on_exec(own.get()));
    const Error error =
        error_of([] { (void)sys::open_namespace("/proc/self/ns/net", NamespaceKind::ipc); });
    CHECK(error.kind() == ErrorKind::invalid_config);
    CHECK(error.text() == "/proc/self/ns/net: not a ipc namespace");
    holds(error_of([] { (void)sys::open_namespace("/dev/null", NamespaceKind::ipc); }).text(),
          "/dev/null: not a");
    CHECK(error_of([] { (void)sys::open_namespace("/no", NamespaceKind::ipc); }).errnum() ==
          ENOENT);
}

TEST_CASE("namespaces: owned by whom, and joined", "[sys]") {
    check_unless_skipped(
        run_in_user_namespace(
            0,
            []() -> std::string {
                const Fd outer = sys::open_namespace("/proc/self/ns/uts", NamespaceKind::uts);
                std::string text =
                    sys::is_owned_by_current_user_namespace(outer.get()) ? "ours " : "theirs ";
                sys::unshare_namespaces(CLONE_NEWUTS);
                const Fd inner = sys::open_namespace("/proc/self/ns/uts", NamespaceKind::uts);
                text += sys::is_owned_by_current_user_namespace(inner.get()) ? "ours " : "theirs ";
                text += name_host("unit");
                sys::join_namespace(inner.get(), NamespaceKind::uts);
                const Error outside =
                    error_of([&] { sys::join_namespace(outer.get(), NamespaceKind::uts); });
                return text + " " + outside.text();
            }),
        "theirs ours unit join the uts namespace: operation not permitted");
}

TEST_CASE("namespaces: a loopback that is up, a limit that is met", "[sys]") {
    check_unless_skipped(run_with_mounts([]() -> std::string {
                             sys::bring_loopback_up();
                             sys::unshare_namespaces(0);
                             sys::write_file(AT_FDCWD, "/proc/sys/user/max_uts_namespaces", "0");
                             sys::unshare_namespaces(CLONE_NEWUTS);
                             return "made";
                         }),
                         "error: make new namespaces (uts): no space left on device");
}
