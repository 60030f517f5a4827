#include "coracle/base/names.h"

#include "coracle/base/text.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <sys/resource.h>

namespace coracle {

namespace {

struct NamespaceName {
    NamespaceKind kind;
    const char* name;
    const char* proc_name;
    std::uint64_t clone_flag;
};

// Flags in figures: <sched.h> of glibc 2.36 lacks CLONE_NEWTIME. Source: linux/sched.h.
constexpr std::array<NamespaceName, 8> namespace_names{{
    {NamespaceKind::user, "user", "user", 0x10000000},
    {NamespaceKind::mount, "mount", "mnt", 0x00020000},
    {NamespaceKind::pid, "pid", "pid", 0x20000000},
    {NamespaceKind::network, "network", "net", 0x40000000},
    {NamespaceKind::ipc, "ipc", "ipc", 0x08000000},
    {NamespaceKind::uts, "uts", "uts", 0x04000000},
    {NamespaceKind::cgroup, "cgroup", "cgroup", 0x02000000},
    {NamespaceKind::time, "time", "time", 0x00000080},
}};

constexpr const NamespaceName& entry_of(NamespaceKind kind) noexcept {
    return namespace_names[static_cast<std::size_t>(kind)];
}

// The index is the number.
constexpr std::array capability_names{
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
};
static_assert(capability_names.size() == 41);

struct NumberName {
    int number;
    const char* name;
};

constexpr std::array rlimit_names{
    NumberName{RLIMIT_AS, "RLIMIT_AS"},
    NumberName{RLIMIT_CORE, "RLIMIT_CORE"},
    NumberName{RLIMIT_CPU, "RLIMIT_CPU"},
    NumberName{RLIMIT_DATA, "RLIMIT_DATA"},
    NumberName{RLIMIT_FSIZE, "RLIMIT_FSIZE"},
    NumberName{RLIMIT_LOCKS, "RLIMIT_LOCKS"},
    NumberName{RLIMIT_MEMLOCK, "RLIMIT_MEMLOCK"},
    NumberName{RLIMIT_MSGQUEUE, "RLIMIT_MSGQUEUE"},
    NumberName{RLIMIT_NICE, "RLIMIT_NICE"},
    NumberName{RLIMIT_NOFILE, "RLIMIT_NOFILE"},
    NumberName{RLIMIT_NPROC, "RLIMIT_NPROC"},
    NumberName{RLIMIT_RSS, "RLIMIT_RSS"},
    NumberName{RLIMIT_RTPRIO, "RLIMIT_RTPRIO"},
    NumberName{RLIMIT_RTTIME, "RLIMIT_RTTIME"},
    NumberName{RLIMIT_SIGPENDING, "RLIMIT_SIGPENDING"},
    NumberName{RLIMIT_STACK, "RLIMIT_STACK"},
};

// Of names with one number, the one to print comes first.
constexpr std::array signal_names{
    NumberName{SIGHUP, "SIGHUP"},       NumberName{SIGINT, "SIGINT"},
    NumberName{SIGQUIT, "SIGQUIT"},     NumberName{SIGILL, "SIGILL"},
    NumberName{SIGTRAP, "SIGTRAP"},     NumberName{SIGABRT, "SIGABRT"},
    NumberName{SIGBUS, "SIGBUS"},       NumberName{SIGFPE, "SIGFPE"},
    NumberName{SIGKILL, "SIGKILL"},     NumberName{SIGUSR1, "SIGUSR1"},
    NumberName{SIGSEGV, "SIGSEGV"},     NumberName{SIGUSR2, "SIGUSR2"},
    NumberName{SIGPIPE, "SIGPIPE"},     NumberName{SIGALRM, "SIGALRM"},
    NumberName{SIGTERM, "SIGTERM"},     NumberName{SIGCHLD, "SIGCHLD"},
    NumberName{SIGCONT, "SIGCONT"},     NumberName{SIGSTOP, "SIGSTOP"},
    NumberName{SIGTSTP, "SIGTSTP"},     NumberName{SIGTTIN, "SIGTTIN"},
    NumberName{SIGTTOU, "SIGTTOU"},     NumberName{SIGURG, "SIGURG"},
    NumberName{SIGXCPU, "SIGXCPU"},     NumberName{SIGXFSZ, "SIGXFSZ"},
    NumberName{SIGVTALRM, "SIGVTALRM"}, NumberName{SIGPROF, "SIGPROF"},
    NumberName{SIGWINCH, "SIGWINCH"},   NumberName{SIGIO, "SIGIO"},
    NumberName{SIGPWR, "SIGPWR"},       NumberName{SIGSYS, "SIGSYS"},
#ifdef SIGSTKFLT
    NumberName{SIGSTKFLT, "SIGSTKFLT"},
#endif
    NumberName{SIGABRT, "SIGIOT"},      NumberName{SIGCHLD, "SIGCLD"},
    NumberName{SIGIO, "SIGPOLL"},
};

// As glibc counts them: it keeps 32 and 33 for itself. Source: signal(7).
constexpr int first_real_time_signal = 34;
constexpr int last_signal = 64;

template <class Table>
const char* find_name(const Table& table, int number) noexcept {
    for (const NumberName& entry : table) {
        if (entry.number == number) {
            return entry.name;
        }
    }
    return nullptr;
}

constexpr char upper(char c) noexcept {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

bool equal_ignoring_case(std::string_view text, std::string_view upper_case) noexcept {
    return std::equal(text.begin(), text.end(), upper_case.begin(), upper_case.end(),
                      [](char a, char b) { return upper(a) == b; });
}

bool starts_ignoring_case(std::string_view text, std::string_view upper_case) noexcept {
    return equal_ignoring_case(text.substr(0, upper_case.size()), upper_case);
}

/// "RTMIN", "RTMIN+2", "RTMAX-1".
std::optional<int> find_real_time_signal(std::string_view name) noexcept {
    constexpr std::string_view minimum = "RTMIN";
    constexpr std::uint64_t range = last_signal - first_real_time_signal;
    const bool from_minimum = starts_ignoring_case(name, minimum);
    if (!from_minimum && !starts_ignoring_case(name, "RTMAX")) {
        return std::nullopt;
    }
    name.remove_prefix(minimum.size());
    if (name.empty()) {
        return from_minimum ? first_real_time_signal : last_signal;
    }
    if (name.front() != (from_minimum ? '+' : '-')) {
        return std::nullopt;
    }
    const std::optional<std::uint64_t> offset = parse_unsigned(name.substr(1), range);
    if (!offset) {
        return std::nullopt;
    }
    const int distance = static_cast<int>(*offset);
    return from_minimum ? first_real_time_signal + distance : last_signal - distance;
}

} // namespace

const std::vector<NamespaceKind>& namespace_kinds() noexcept {
    static const std::vector<NamespaceKind> kinds = [] {
        std::vector<NamespaceKind> all;
        for (const NamespaceName& entry : namespace_names) {
            all.push_back(entry.kind);
        }
        return all;
    }();
    return kinds;
}

const char* name_of(NamespaceKind kind) noexcept {
    return entry_of(kind).name;
}

const char* proc_name_of(NamespaceKind kind) noexcept {
    return entry_of(kind).proc_name;
}

std::uint64_t clone_flag_of(NamespaceKind kind) noexcept {
    return entry_of(kind).clone_flag;
}

std::optional<NamespaceKind> find_namespace_kind(std::string_view name) noexcept {
    for (const NamespaceName& entry : namespace_names) {
        if (name == entry.name) {
            return entry.kind;
        }
    }
    return std::nullopt;
}

std::optional<int> find_capability(std::string_view name) noexcept {
    for (std::size_t i = 0; i < capability_names.size(); ++i) {
        if (equal_ignoring_case(name, capability_names[i])) {
            return static_cast<int>(i);
        }
    }
    return std::nullopt;
}

const char* capability_name(int number) noexcept {
    if (number < 0 || number >= capability_count()) {
        return nullptr;
    }
    return capability_names[static_cast<std::size_t>(number)];
}

int capability_count() noexcept {
    return static_cast<int>(capability_names.size());
}

std::optional<int> find_rlimit(std::string_view name) noexcept {
    for (const NumberName& entry : rlimit_names) {
        if (name == entry.name) {
            return entry.number;
        }
    }
    return std::nullopt;
}

const char* rlimit_name(int number) noexcept {
    return find_name(rlimit_names, number);
}

std::optional<int> find_signal(std::string_view name) noexcept {
    if (const std::optional<std::uint64_t> number = parse_unsigned(name, last_signal)) {
        return *number == 0 ? std::nullopt : std::optional<int>(static_cast<int>(*number));
    }
    constexpr std::string_view prefix = "SIG";
    if (starts_ignoring_case(name, prefix)) {
        name.remove_prefix(prefix.size());
    }
    for (const NumberName& entry : signal_names) {
        if (equal_ignoring_case(name, std::string_view(entry.name).substr(prefix.size()))) {
            return entry.number;
        }
    }
    return find_real_time_signal(name);
}

std::string signal_name(int number) {
    const char* name = find_name(signal_names, number);
    return name != nullptr ? name : "signal " + std::to_string(number);
}

} // namespace coracle
