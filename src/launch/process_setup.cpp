#include "process_setup_private.h"

#include "coracle/base/error.h"
#include "coracle/base/passwd.h"
#include "coracle/base/text.h"
#include "coracle/security/capabilities.h"
#include "coracle/security/process_attributes.h"
#include "coracle/security/process_limits.h"
#include "coracle/sys/access.h"
#include "coracle/sys/file.h"
#include "coracle/sys/process.h"
#include "coracle/sys/rooted_path.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <optional>
#include <string_view>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace coracle::launch {

namespace {

constexpr std::size_t max_passwd_bytes = std::size_t{1} << 20;

/// Pipes, sockets, and the file that output goes to: what is only read, a directory or a device is
/// not ours to give.
bool may_be_given(int stream, mode_t mode) noexcept {
    bool output = stream != STDIN_FILENO && (::fcntl(stream, F_GETFL) & O_ACCMODE) != O_RDONLY;
    return S_ISFIFO(mode) || S_ISSOCK(mode) || (S_ISREG(mode) && output);
}

/// The payload may open /proc/self/fd/N of its own streams again. What cannot be given away stays
/// as it is; devices are not ours to give, and terminals of the caller least of all.
void give_streams_to(std::uint32_t uid) noexcept {
    for (int stream = 0; stream <= 2; ++stream) {
        struct stat status {};
        if (::fstat(stream, &status) == 0 && status.st_uid != uid &&
            may_be_given(stream, status.st_mode)) {
            sys::try_give_to(stream, uid);
        }
    }
}

void set_groups(const plan::ProcessPlan& process, std::vector<plan::Degradation>& degraded) {
    if (process.groups_method == plan::GroupsMethod::keep) {
        return;
    }
    std::vector<gid_t> groups(process.groups.begin(), process.groups.end());
    if (::setgroups(groups.size(), groups.data()) == 0) {
        return;
    }
    int saved = errno;
    bool may_be_denied = process.groups_method == plan::GroupsMethod::set_if_allowed;
    if (saved == EPERM && may_be_denied && groups.empty()) {
        if (::getgroups(0, nullptr) != 0) {
            degraded.push_back({"/process/user/additionalGids",
                                "the caller's supplementary groups stay, since setgroups is "
                                "denied in the user namespace that is joined"});
        }
        return;
    }
    const char* cause = saved == EPERM    ? " (setgroups is denied in this user namespace)"
                        : saved == EINVAL ? " (a gid is not mapped in this user namespace)"
                                          : "";
    throw_system(saved,
                 std::string("/process/user/additionalGids: set the supplementary groups") + cause);
}

void reset_signals(std::uint64_t ignored) {
    struct sigaction action {};
    action.sa_handler = SIG_DFL;
    for (int number = 1; number < NSIG; ++number) {
        bool wanted = (ignored >> static_cast<unsigned>(number - 1) & 1U) != 0;
        // EINVAL: 32 and 33, which the C library keeps to itself.
        if (wanted && ::sigaction(number, &action, nullptr) != 0 && errno != EINVAL) {
            int saved = errno;
            throw_system(saved, "reset signal " + std::to_string(number));
        }
    }
    sigset_t none;
    ::sigemptyset(&none);
    if (::sigprocmask(SIG_SETMASK, &none, nullptr) != 0) {
        int saved = errno;
        throw_system(saved, "reset the signal mask");
    }
}

/// A directory that is not below the root is shown by the kernel as "(unreachable)/...".
/// CVE-2024-21626.
void require_reachable_directory(const std::string& cwd) {
    std::array<char, PATH_MAX> buffer{};
    if (::syscall(SYS_getcwd, buffer.data(), buffer.size()) < 0) {
        int saved = errno;
        throw_system(saved, "getcwd in " + printable(cwd));
    }
    if (buffer[0] != '/') {
        throw_error(ErrorKind::denied,
                    "process.cwd " + printable(cwd) + " is outside of the container's root");
    }
}

int try_change_directory(const std::string& cwd) noexcept {
    return ::chdir(cwd.c_str()) == 0 ? 0 : errno;
}

/// The limits as they may be while init still opens files: raising needs privilege, so it is done
/// now; lowering RLIMIT_NOFILE below what init needs is left to apply_final_rlimits.
std::vector<plan::RlimitPlan> make_early_rlimits(const std::vector<plan::RlimitPlan>& rlimits) {
    constexpr std::uint64_t needed = 64;
    std::vector<plan::RlimitPlan> early;
    for (plan::RlimitPlan limit : rlimits) {
        if (limit.resource != RLIMIT_NOFILE || limit.hard >= needed) {
            limit.soft =
                limit.resource == RLIMIT_NOFILE ? std::max(limit.soft, needed) : limit.soft;
            early.push_back(limit);
        }
    }
    return early;
}

std::uint64_t capabilities_to_keep(const plan::ProcessPlan& process) {
    bool needed = (process.has_filter || process.landlock) && !process.no_new_privileges;
    return needed ? std::uint64_t{1} << static_cast<unsigned>(CAP_SYS_ADMIN) : 0;
}

/// The ids change under KEEPCAPS, so that the sets can still be chosen afterwards.
void change_identity(const plan::ProcessPlan& process, std::vector<plan::Degradation>& degraded) {
    plan::CapabilityPlan capabilities = process.capabilities.value_or(plan::CapabilityPlan{});
    set_groups(process, degraded);
    security::apply_bounding_set(capabilities, process.last_capability);
    sys::keep_capabilities();
    sys::set_gid(process.gid);
    sys::set_uid(process.uid);
    sys::set_parent_death_signal(); // the change of ids has cleared it
    security::apply_capability_sets(capabilities, capabilities_to_keep(process));
}

} // namespace

void apply_final_rlimits(const plan::ProcessPlan& process) {
    for (const plan::RlimitPlan& limit : process.rlimits) {
        if (limit.resource == RLIMIT_NOFILE) {
            security::apply_rlimits({limit});
        }
    }
}

void add_home(const plan::ProcessPlan& process, int root_fd, std::vector<std::string>& env) {
    if (!process.set_home) {
        return;
    }
    std::string home;
    try {
        sys::Fd etc = sys::open_in_root(root_fd, "/etc", O_PATH | O_DIRECTORY);
        // Opening a device acts on it, and a link may lead to a file of /proc that acts when read.
        std::optional<struct stat> entry = sys::find_stat(etc.get(), "passwd");
        if (entry && S_ISREG(entry->st_mode)) {
            std::string passwd = sys::read_regular_file(etc.get(), "passwd", max_passwd_bytes);
            home = find_passwd_entry(passwd, process.uid).value_or(PasswdEntry{}).home;
        }
    } catch (const Error& error) { // catch: an image without a usable passwd has the home "/"
        constexpr std::array<int, 7> of_image{0, ENOENT, ENOTDIR, ELOOP, EACCES, ENXIO, EISDIR};
        if (std::find(of_image.begin(), of_image.end(), error.errnum()) == of_image.end()) {
            throw;
        }
    }
    bool usable = home.starts_with('/') && home.find('\0') == std::string::npos;
    env.push_back("HOME=" + (usable ? home : std::string("/")));
}

void set_up_process(const plan::ProcessPlan& process, sys::Dumpable dumpable,
                    std::vector<plan::Degradation>& degraded) {
    if (!process.terminal) {
        give_streams_to(process.uid);
    }
    security::apply_rlimits(make_early_rlimits(process.rlimits));
    security::apply_process_attributes(process); // before the privilege to do so goes
    // A directory that only the container's root may enter, or one that only its user may.
    int early = try_change_directory(process.cwd);
    change_identity(process, degraded);
    int errnum = early == 0 ? 0 : try_change_directory(process.cwd);
    if (errnum != 0) {
        sys::throw_path_error(errnum, "chdir to process.cwd " + printable(process.cwd), AT_FDCWD,
                              process.cwd, X_OK);
    }
    require_reachable_directory(process.cwd);
    if (process.no_new_privileges) {
        sys::set_no_new_privileges();
    }
    sys::set_dumpable(dumpable);
    reset_signals(process.ignored_signals);
    (void)::umask(process.umask);
}

} // namespace coracle::launch
