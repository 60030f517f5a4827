#include "coracle/sys/process.h"

#include "coracle/base/error.h"
#include "coracle/base/names.h"
#include "coracle/base/text.h"
#include "coracle/sys/refused.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <memory>
#include <sched.h>
#include <string_view>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace coracle::sys {

namespace {

[[noreturn]] void throw_no_process(int errnum) {
    throw_system(errnum, errnum == EAGAIN ? "clone (RLIMIT_NPROC of the user, pids.max of the "
                                            "cgroup or kernel.threads-max is reached)"
                                          : "clone");
}

pid_t clone_with(unsigned long flags) {
    // Not clone3(2): nothing of it is needed, and outer containers answer it with ENOSYS. Not
    // fork(2): its handlers are for threads. The arguments besides the flags are 0 in any order.
    long pid = ::syscall(SYS_clone, flags | SIGCHLD, 0L, 0L, 0L, 0L);
    if (pid < 0) {
        int saved = errno;
        throw_no_process(saved);
    }
    return static_cast<pid_t>(pid);
}

} // namespace

pid_t clone_process() {
    return clone_with(0);
}

Clone clone_process_into(int cgroup) {
    struct clone_args arguments {};
    arguments.flags = CLONE_INTO_CGROUP;
    arguments.exit_signal = SIGCHLD;
    arguments.cgroup = static_cast<std::uint64_t>(cgroup);
    long pid = ::syscall(SYS_clone3, &arguments, sizeof arguments);
    if (pid >= 0) {
        return {static_cast<pid_t>(pid), true};
    }
    // Refused for many a reason: an old kernel, an outer container, a common ancestor that is not
    // the caller's. The other way is slower, since the kernel waits for all CPUs, but the same.
    return {clone_process(), false};
}

pid_t clone_sibling() {
    return clone_with(CLONE_PARENT);
}

pid_t clone_sharing_fds() {
    return clone_with(CLONE_FILES);
}

pid_t clone_into_user_namespace() {
    return clone_with(CLONE_NEWUSER);
}

void change_directory(int dir_fd) {
    if (::fchdir(dir_fd) != 0) {
        int saved = errno;
        throw_system(saved, "change the current directory");
    }
}

void change_root(int dir_fd) {
    change_directory(dir_fd);
    if (::chroot(".") != 0) {
        int saved = errno;
        throw_system(saved, "change the root");
    }
}

namespace {

pid_t start_on_own_memory(int (*role)(void*), void* argument, int flags) {
    constexpr std::size_t stack_bytes = std::size_t{256} << 10;
    // Not filled with zeros: what the role does not need of it is never touched.
    std::unique_ptr<char[]> stack = std::make_unique_for_overwrite<char[]>(stack_bytes);
    constexpr std::size_t alignment = 16;
    char* top = stack.get() + stack_bytes;
    top -= std::bit_cast<std::uintptr_t>(top) % alignment;
    pid_t pid = ::clone(role, top, CLONE_VM | CLONE_VFORK | flags, argument);
    if (pid < 0) {
        int saved = errno;
        throw_no_process(saved);
    }
    return pid;
}

} // namespace

pid_t start_sibling(int (*role)(void*), void* argument) {
    return start_on_own_memory(role, argument, CLONE_PARENT); // the exit signal is the caller's own
}

pid_t start_child(int (*role)(void*), void* argument) {
    return start_on_own_memory(role, argument, SIGCHLD);
}

int wait_for_child(pid_t pid) {
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0) {
        int saved = errno;
        if (saved != EINTR) {
            throw_system(saved, "wait for process " + std::to_string(pid));
        }
    }
    return status;
}

std::string describe_wait_status(int status) {
    if (WIFSIGNALED(status)) {
        return "was killed by " + signal_name(WTERMSIG(status));
    }
    return "exited with status " + std::to_string(WEXITSTATUS(status));
}

int exit_code_of(int status) noexcept {
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

namespace {

void control(int option, unsigned long value, const char* what) {
    if (::prctl(option, value, 0UL, 0UL, 0UL) != 0) {
        int saved = errno;
        throw_system(saved, what);
    }
}

} // namespace

void set_parent_death_signal(int signal) {
    control(PR_SET_PDEATHSIG, static_cast<unsigned long>(signal), "set the parent death signal");
}

void clear_parent_death_signal() {
    control(PR_SET_PDEATHSIG, 0, "clear the parent death signal");
}

void set_process_name(const char* name) noexcept {
    (void)::prctl(PR_SET_NAME, name);
}

void set_dumpable(Dumpable dumpable) {
    control(PR_SET_DUMPABLE, dumpable == Dumpable::yes ? 1 : 0, "set dumpable");
}

void set_no_new_privileges() {
    control(PR_SET_NO_NEW_PRIVS, 1, "set no_new_privs");
}

void keep_capabilities() {
    control(PR_SET_KEEPCAPS, 1, "keep capabilities");
}

void become_subreaper() {
    control(PR_SET_CHILD_SUBREAPER, 1, "become a subreaper");
}

namespace {

/// 0, EEXIST for another user's (who may keep even its description from us), or another errno.
/// Source: keyctl_describe(3): "type;uid;gid;permissions;description".
int try_find_own_key(long serial) noexcept {
    std::array<char, 512> text{};
    long length = ::syscall(SYS_keyctl, KEYCTL_DESCRIBE, serial, text.data(), text.size() - 1);
    if (length < 0) {
        return errno == EACCES ? EEXIST : errno;
    }
    std::string_view rest(text.data());
    rest.remove_prefix(std::min(rest.find(';') + 1, rest.size()));
    std::string_view uid = rest.substr(0, rest.find(';'));
    return parse_unsigned(uid, UINT32_MAX) == ::geteuid() ? 0 : EEXIST;
}

} // namespace

void pause_for(std::chrono::nanoseconds time) noexcept {
    struct timespec rest {
        0, time.count()
    };
    (void)::nanosleep(&rest, nullptr);
}

int try_join_session_keyring(const std::string& name) noexcept {
    long serial = ::syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name.c_str());
    if (serial < 0) {
        return errno;
    }
    int errnum = try_find_own_key(serial);
    if (errnum != 0) {
        // Names are shared with the other users of this user namespace, who may have planted it.
        return ::syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr) < 0 ? errno : errnum;
    }
    // As it is made, but that its owner finds it by name: KEY_POS_ALL, KEY_USR_VIEW, _READ, _SEARCH
    // and _LINK of linux/key.h.
    constexpr unsigned permissions = 0x3f1b0000;
    return ::syscall(SYS_keyctl, KEYCTL_SETPERM, serial, permissions) == 0 ? 0 : errno;
}

int try_set_gid(gid_t gid) noexcept {
    return ::setresgid(gid, gid, gid) == 0 ? 0 : errno;
}

int try_set_uid(uid_t uid) noexcept {
    return ::setresuid(uid, uid, uid) == 0 ? 0 : errno;
}

void set_gid(gid_t gid) {
    int saved = try_set_gid(gid);
    if (saved != 0) {
        throw_system(saved, "set gid " + std::to_string(gid) +
                                (saved == EINVAL ? " (not mapped in the user namespace)" : ""));
    }
}

void set_uid(uid_t uid) {
    int saved = try_set_uid(uid);
    if (saved != 0) {
        throw_system(saved, "set uid " + std::to_string(uid) +
                                (saved == EINVAL ? " (not mapped in the user namespace)" : ""));
    }
}

bool become_root_or(uid_t uid, gid_t gid) {
    if (try_set_gid(0) != 0) {
        set_gid(gid);
    }
    bool root = try_set_uid(0) == 0;
    if (!root) {
        set_uid(uid);
    }
    return root;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
    std::vector<char*> pointers;
    pointers.reserve(texts.size() + 1);
    for (std::string& text : texts) {
        pointers.push_back(text.data());
    }
    pointers.push_back(nullptr);
    return pointers;
}

void execute_fd(int fd, std::vector<std::string> arguments) {
    std::vector<char*> argv = pointers_to(arguments);
    char* const* environment = &argv.back();
    ::execveat(fd, "", argv.data(), environment, AT_EMPTY_PATH);
    int saved = errno;
    if (is_refused(SYS_execveat, saved)) {
        std::string path = "/proc/self/fd/" + std::to_string(fd);
        ::execve(path.c_str(), argv.data(), environment);
        saved = errno;
    }
    throw_system(saved, "execute " + (arguments.empty() ? std::string() : arguments.front()));
}

} // namespace coracle::sys
