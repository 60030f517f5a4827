#include "coracle/host/detect.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/sys/file.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <linux/capability.h>
#include <string_view>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace coracle::host {

namespace {

/// The inode of the initial user namespace: PROC_USER_INIT_INO, include/linux/proc_ns.h.
constexpr ino_t initial_user_namespace_inode = 0xEFFFFFFDU;

constexpr std::uint64_t bit(unsigned capability) {
    return std::uint64_t{1} << capability;
}

std::uint64_t parse_hex(std::string_view text) {
    std::uint64_t value = 0;
    for (char c : text) {
        unsigned digit = c >= '0' && c <= '9'   ? static_cast<unsigned>(c - '0')
                         : c >= 'a' && c <= 'f' ? static_cast<unsigned>(c - 'a' + 10)
                                                : 16U;
        if (digit > 15) {
            break;
        }
        value = value << 4U | digit;
    }
    return value;
}

std::string read_small(int proc_fd, const std::string& path) {
    sys::Fd file = sys::open_at(proc_fd, path, O_RDONLY);
    return sys::read_all(file.get(), std::size_t{1} << 20, "/proc/" + path);
}

std::string_view trim(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) {
        text.remove_prefix(1);
    }
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) {
        text.remove_suffix(1);
    }
    return text;
}

void parse_groups(std::string_view text, std::vector<std::uint32_t>& groups) {
    for (std::string_view part : split(text, ' ')) {
        std::optional<std::uint64_t> gid = parse_unsigned(part, UINT32_MAX);
        if (gid) {
            groups.push_back(static_cast<std::uint32_t>(*gid));
        }
    }
}

int last_capability(int proc_fd) {
    std::string text = read_small(proc_fd, "sys/kernel/cap_last_cap");
    std::optional<std::uint64_t> number = parse_unsigned(trim(text), 62);
    if (!number) {
        throw_error(ErrorKind::internal, "/proc/sys/kernel/cap_last_cap: not a number");
    }
    return static_cast<int>(*number);
}

std::int32_t own_oom_score_adj(int proc_fd) {
    std::string text = read_small(proc_fd, "self/oom_score_adj");
    std::string_view digits = trim(text);
    bool negative = digits.starts_with('-');
    std::optional<std::uint64_t> value = parse_unsigned(digits.substr(negative ? 1 : 0), 1000);
    std::int32_t score = value ? static_cast<std::int32_t>(*value) : 0;
    return negative ? -score : score;
}

} // namespace

void parse_status(const std::string& text, Facts& facts, std::uint64_t& effective) {
    for (std::string_view line : split(text, '\n')) {
        std::size_t colon = line.find(':');
        if (colon == std::string_view::npos) {
            continue;
        }
        std::string_view key = line.substr(0, colon);
        std::string_view value = trim(line.substr(colon + 1));
        if (key == "Groups") {
            parse_groups(value, facts.groups);
        } else if (key == "CapEff") {
            effective = parse_hex(value);
        } else if (key == "CapBnd") {
            facts.bounding_capabilities = parse_hex(value);
        } else if (key == "SigIgn") {
            facts.ignored_signals = parse_hex(value);
        }
    }
}

bool in_initial_user_namespace() {
    struct stat status {};
    if (::stat("/proc/self/ns/user", &status) != 0) {
        int saved = errno;
        throw_system(saved, "stat /proc/self/ns/user");
    }
    return status.st_ino == initial_user_namespace_inode;
}

Facts detect_facts(int proc_fd) {
    Facts facts;
    facts.euid = effective_uid();
    facts.egid = effective_gid();
    std::uint64_t effective = 0;
    parse_status(read_small(proc_fd, "self/status"), facts, effective);
    constexpr std::uint64_t needed = bit(CAP_SYS_ADMIN) | bit(CAP_SETUID) | bit(CAP_SETGID);
    facts.privileged = facts.euid == 0 && (effective & needed) == needed;
    facts.initial_user_namespace = in_initial_user_namespace();
    facts.may_raise_limits =
        facts.initial_user_namespace && (effective & bit(CAP_SYS_RESOURCE)) != 0;
    facts.setgroups_allowed =
        facts.initial_user_namespace || read_small(proc_fd, "self/setgroups").starts_with("allow");
    facts.last_capability = last_capability(proc_fd);
    facts.oom_score_adj = own_oom_score_adj(proc_fd);
    return facts;
}

std::uint32_t effective_uid() noexcept {
    return ::geteuid();
}

std::uint32_t effective_gid() noexcept {
    return ::getegid();
}

void require_not_privileged_by_file() {
    // AT_SECURE alone is also set by SELinux transitions, so it decides nothing by itself.
    bool ids_differ = ::geteuid() != ::getuid() || ::getegid() != ::getgid();
    if (ids_differ) {
        throw_error(ErrorKind::denied, "coracle runs set-uid or set-gid: take the bits away with "
                                       "chmod ug-s, it needs no privilege");
    }
    if (::getauxval(AT_SECURE) == 0 || ::getuid() == 0) {
        return;
    }
    struct __user_cap_header_struct header {
        _LINUX_CAPABILITY_VERSION_3, 0
    };
    struct __user_cap_data_struct data[2] = {}; // NOLINT: the kernel's own layout
    if (::syscall(SYS_capget, &header, data) == 0 && (data[0].permitted | data[1].permitted) != 0) {
        throw_error(ErrorKind::denied, "coracle has file capabilities: take them away with setcap "
                                       "-r, it needs no privilege");
    }
}

} // namespace coracle::host
