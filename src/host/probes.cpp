#include "coracle/host/probes.h"

#include "coracle/base/error.h"
#include "coracle/base/names.h"
#include "coracle/sys/fd.h"
#include "coracle/sys/file.h"
#include "coracle/sys/mount.h"
#include "coracle/sys/namespace.h"
#include "coracle/sys/pivot.h"
#include "coracle/sys/process.h"
#include "coracle/sys/procfs.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace coracle::host {

namespace {

/// Where layers are put in a mount namespace of the child's own.
constexpr const char* scratch = "/tmp";

/// What `work` gives, 0 or an errno, in a child. An exit status holds every errno.
int run_in_child(int (*work)()) {
    pid_t child = sys::clone_process();
    if (child == 0) {
        int result = EIO;
        try {
            sys::set_parent_death_signal();
            sys::set_process_name("coracle:probe");
            result = work();
        } catch (const Error& error) { // catch: a child's edge
            result = error.errnum() != 0 ? error.errnum() : EIO;
        } catch (const std::exception&) { // catch: a child's edge
            result = ENOMEM;
        }
        ::_exit(std::clamp(result, 0, 255));
    }
    int status = sys::wait_for_child(child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : ECANCELED;
}

/// Root of a new user namespace, with a mount namespace.
void enter_namespaces() {
    std::string uid = std::to_string(::geteuid());
    std::string gid = std::to_string(::getegid());
    sys::unshare_namespaces(clone_flag_of(NamespaceKind::user) |
                            clone_flag_of(NamespaceKind::mount));
    sys::Fd proc = sys::open_proc();
    sys::write_file(proc.get(), "self/setgroups", "deny");
    sys::write_file(proc.get(), "self/gid_map", "0 " + gid + " 1\n");
    sys::write_file(proc.get(), "self/uid_map", "0 " + uid + " 1\n");
    sys::set_namespace_propagation(MS_REC | MS_PRIVATE);
}

int try_make(const sys::FilesystemRequest& request, sys::Fd& result) {
    std::string detail;
    return sys::try_make_filesystem(request, result, detail);
}

sys::FilesystemRequest make_request(const char* type) {
    sys::FilesystemRequest request;
    request.type = type;
    request.source = type;
    return request;
}

int try_overlay() {
    enter_namespaces();
    sys::Fd layers;
    int errnum = try_make(make_request("tmpfs"), layers);
    if (errnum != 0) {
        return errnum;
    }
    sys::attach(layers.get(), sys::open_at(AT_FDCWD, scratch, O_PATH).get(), scratch);
    sys::FilesystemRequest request = make_request("overlay");
    for (const char* name : {"lower", "upper", "work"}) {
        errnum = sys::try_make_directory(layers.get(), name, 0755);
        if (errnum != 0) {
            return errnum;
        }
        request.options.push_back(std::string(name) + "dir=" + scratch + "/" + name);
    }
    request.options.emplace_back("userxattr");
    sys::Fd overlay;
    return try_make(request, overlay);
}

int try_mapped_mount() {
    enter_namespaces();
    sys::Fd tree;
    int errnum = try_make(make_request("tmpfs"), tree);
    if (errnum != 0) {
        return errnum;
    }
    pid_t holder = sys::clone_into_user_namespace();
    if (holder == 0) {
        sys::set_parent_death_signal();
        for (;;) {
            (void)::pause();
        }
    }
    sys::Fd proc = sys::open_proc();
    sys::write_file(proc.get(), sys::proc_path(holder, "uid_map"), "0 0 1\n");
    sys::write_file(proc.get(), sys::proc_path(holder, "setgroups"), "deny");
    sys::write_file(proc.get(), sys::proc_path(holder, "gid_map"), "0 0 1\n");
    sys::Fd space = sys::open_at(proc.get(), sys::proc_path(holder, "ns/user"), O_RDONLY);
    errnum = sys::try_map_ids(tree.get(), space.get(), sys::TreeDepth::single);
    (void)::kill(holder, SIGKILL);
    (void)sys::wait_for_child(holder);
    return errnum;
}

int try_seccomp_notify() {
    struct seccomp_notif_sizes sizes {};
    return ::syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) == 0 ? 0 : errno;
}

} // namespace

int probe_overlay() {
    return run_in_child(try_overlay);
}

int probe_mapped_mount() {
    return run_in_child(try_mapped_mount);
}

int probe_seccomp_notify() {
    return run_in_child(try_seccomp_notify);
}

int probe_birth_in_cgroup(const std::string& cgroup) {
    sys::Fd directory;
    int errnum = sys::try_open_at(AT_FDCWD, cgroup, O_PATH | O_DIRECTORY, 0, directory);
    if (errnum != 0) {
        return errnum;
    }
    sys::Clone child = sys::clone_process_into(directory.get());
    if (child.pid == 0) {
        ::_exit(0);
    }
    (void)sys::wait_for_child(child.pid);
    return child.is_in_cgroup ? 0 : EACCES;
}

} // namespace coracle::host
