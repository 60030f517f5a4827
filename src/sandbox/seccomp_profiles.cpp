#include "coracle/sandbox/seccomp_profiles.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "nearest_private.h"
#include "seccomp_groups_private.h"
#include "seccomp_rules_private.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <set>
#include <sys/socket.h>

namespace coracle::sandbox {

namespace {

/// What a filter is made of, as long as words change it. No call is in two of the three.
struct Draft {
    CallSet allowed;
    CallSet refused;
    std::vector<spec::SeccompSyscall> special;
    enum class Others { refused, allowed } others = Others::refused; ///< calls of none of the three
    std::vector<std::string> architectures;

    void forget(const CallSet& calls) {
        allowed.remove(calls);
        refused.remove(calls);
        std::erase_if(special, [&](const spec::SeccompSyscall& rule) {
            return rule.names.size() == 1 && calls.has(rule.names.front());
        });
    }
    void allow(const CallSet& calls) {
        forget(calls);
        allowed.add(calls);
    }
    void refuse(const CallSet& calls) {
        forget(calls);
        refused.add(calls);
    }
    void add(const std::vector<spec::SeccompSyscall>& rules) {
        special.insert(special.end(), rules.begin(), rules.end());
        allowed.remove(names_of(special));
    }
    /// The first call of each rule, which is its only one.
    static CallSet names_of(const std::vector<spec::SeccompSyscall>& rules) {
        std::vector<std::string_view> names;
        for (const spec::SeccompSyscall& rule : rules) {
            names.push_back(rule.names.front());
        }
        return CallSet(std::move(names));
    }
};

enum class Entries { native, also_32_bit, all };

/// In the machine's 32-bit mode the numbers are others, so a filter has to know them.
std::vector<std::string> architectures_of_machine(Entries entries) {
#if defined(__x86_64__)
    std::vector<std::string> all{"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"};
#elif defined(__aarch64__)
    std::vector<std::string> all{"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"};
#else
    std::vector<std::string> all; // the native one
#endif
    constexpr std::size_t without_x32 = 2;
    const std::size_t count = entries == Entries::native        ? 1
                              : entries == Entries::also_32_bit ? without_x32
                                                                : all.size();
    all.resize(std::min(all.size(), count));
    return all;
}

/// "@chown open -mknod": the calls of the words, without those behind a '-'.
CallSet make_set(std::string_view words) {
    CallSet calls;
    std::vector<std::string_view> single;
    std::vector<std::string_view> removed;
    for (std::string_view word : split(words, ' ')) {
        const bool removes = word.starts_with('-');
        word.remove_prefix(removes ? 1 : 0);
        std::optional<CallSet> group = find_seccomp_group(word);
        if (!group) {
            (removes ? removed : single).push_back(word);
        } else if (removes) {
            removed.insert(removed.end(), group->begin(), group->end());
        } else {
            calls.add(*group);
        }
    }
    calls.add(CallSet(std::move(single)));
    calls.remove(CallSet(std::move(removed)));
    return calls;
}

/// What Docker gives a process without capabilities (moby profiles/seccomp, June 2026). adjtimex
/// and the like also read, and what they may not set the kernel refuses.
constexpr std::string_view default_1 =
    "@system-service @sandbox @pkey adjtimex arm_sync_file_range breakpoint clock_adjtime "
    "clock_adjtime64 fanotify_mark get_tls memfd_secret mincore modify_ldt ptrace "
    "-@keyring -get_mempolicy -io_uring_enter -io_uring_register -io_uring_setup -kcmp -mbind "
    "-migrate_pages -move_pages -process_madvise -set_mempolicy -set_mempolicy_home_node -setns "
    "-unshare -userfaultfd";

/// default-1 without what looks into other processes, and without what few programs ask for.
constexpr std::string_view without_in_strict_1 =
    "@cpu-emulation @debug adjtimex clock_adjtime clock_adjtime64 fanotify_mark listmount "
    "lsm_set_self_attr memfd_secret mknod mknodat name_to_handle_at personality process_mrelease "
    "process_vm_readv process_vm_writev remap_file_pages statmount vmsplice";

Draft make_default() {
    Draft draft;
    draft.architectures = architectures_of_machine(Entries::also_32_bit);
    draft.allowed = make_set(default_1);
    std::vector<int> families;
    constexpr int families_of_linux_6 = 46;                  // AF_MAX
    constexpr std::array<int, 3> with_a_history{33, 38, 40}; // AF_RXRPC, AF_ALG, AF_VSOCK
    for (int family = 0; family < families_of_linux_6; ++family) {
        if (std::find(with_a_history.begin(), with_a_history.end(), family) ==
            with_a_history.end()) {
            families.push_back(family);
        }
    }
    draft.add(make_clone_rules());
    draft.add(make_ioctl_rules());
    draft.add(make_personality_rules());
    draft.add(make_socket_rules(families));
    return draft;
}

Draft make_strict() {
    Draft draft;
    draft.architectures = architectures_of_machine(Entries::native);
    draft.allowed = make_set(default_1);
    draft.allowed.remove(make_set(without_in_strict_1));
    draft.add(make_clone_rules());
    draft.add(make_ioctl_rules());
    draft.add(make_socket_rules({AF_UNIX, AF_INET, AF_INET6}));
    return draft;
}

Draft make_none() {
    Draft draft;
    draft.others = Draft::Others::allowed;
    draft.architectures = architectures_of_machine(Entries::all);
    return draft;
}

struct Builtin {
    std::string_view name;
    std::string_view alias; ///< the name without its version
    std::string_view summary;
    Draft (*make)();
};

constexpr std::array<Builtin, 3> builtins{{
    {"default-1", "default", "what Docker gives a process without capabilities", &make_default},
    {"strict-1", "strict",
     "without ptrace, other processes' memory, other sockets than unix, inet and inet6, and the "
     "machine's 32-bit mode",
     &make_strict},
    {"none", "none", "everything", &make_none},
}};

[[noreturn]] void throw_unknown(std::string_view word, const std::set<std::string>& there_are,
                                const char* what) {
    const std::string nearest = find_nearest(word, there_are);
    throw_error(ErrorKind::usage, std::string("no ") + what + " '" + printable(word) + "'" +
                                      (nearest.empty() ? "" : ", did you mean '" + nearest + "'?"));
}

const Builtin& find_builtin(std::string_view name) {
    std::set<std::string> names;
    for (const Builtin& builtin : builtins) {
        if (name == builtin.name || name == builtin.alias) {
            return builtin;
        }
        names.emplace(builtin.name);
        names.emplace(builtin.alias);
    }
    if (known_calls().has(name) || find_seccomp_group(name)) {
        throw_error(ErrorKind::usage, "'" + std::string(name) +
                                          "' is no profile: put + before it to allow it, - to "
                                          "refuse it");
    }
    throw_unknown(name, names, "profile");
}

CallSet calls_of(std::string_view word) {
    if (std::optional<CallSet> group = find_seccomp_group(word)) {
        return *std::move(group);
    }
    const CallSet known = known_calls();
    if (known.has(word)) {
        return CallSet({word});
    }
    std::set<std::string> there_are(known.begin(), known.end());
    for (const SeccompGroup& group : seccomp_groups()) {
        there_are.emplace(group.name);
    }
    throw_unknown(word, there_are, word.starts_with('@') ? "group" : "system call");
}

void apply_word(std::string_view word, Draft& draft) {
    if (!word.starts_with('+') && !word.starts_with('-')) {
        throw_error(ErrorKind::usage,
                    "'" + printable(word) + "': + or - must stand before each word but the first");
    }
    const CallSet calls = calls_of(word.substr(1));
    if (word.front() == '+') {
        draft.allow(calls);
    } else {
        draft.refuse(calls);
    }
}

spec::SeccompSyscall make_rule(const CallSet& names, const char* action) {
    return {{names.begin(), names.end()}, action, std::nullopt, {}};
}

/// Each known call has a rule of its own, so that what has none is newer, and is answered as such.
spec::Seccomp finish(Draft draft) {
    spec::Seccomp seccomp;
    seccomp.architectures = std::move(draft.architectures);
    if (draft.others == Draft::Others::allowed) {
        seccomp.default_action = "SCMP_ACT_ALLOW";
    } else {
        seccomp.default_action = "SCMP_ACT_ERRNO";
        seccomp.default_errno_ret = EPERM;
        seccomp.syscalls.push_back(make_rule(draft.allowed, "SCMP_ACT_ALLOW"));
        seccomp.syscalls.insert(seccomp.syscalls.end(), draft.special.begin(), draft.special.end());
        draft.refused.add(known_calls());
        draft.refused.remove(draft.allowed);
        draft.refused.remove(Draft::names_of(draft.special));
    }
    if (!draft.refused.empty()) {
        seccomp.syscalls.push_back(make_rule(draft.refused, "SCMP_ACT_ERRNO"));
        seccomp.syscalls.back().errno_ret = EPERM;
    }
    return seccomp;
}

} // namespace

std::vector<SeccompProfile> seccomp_profiles() {
    std::vector<SeccompProfile> result;
    for (const Builtin& builtin : builtins) {
        result.push_back({builtin.name, builtin.summary});
    }
    return result;
}

spec::Seccomp compose_seccomp(std::string_view text) {
    std::vector<std::string_view> words = split(text, ',');
    const bool starts_with_change = text.starts_with('+') || text.starts_with('-');
    Draft draft = starts_with_change ? make_default() : find_builtin(words.front()).make();
    for (std::size_t i = starts_with_change ? 0 : 1; i < words.size(); ++i) {
        apply_word(words[i], draft);
    }
    return finish(std::move(draft));
}

bool is_seccomp_file(std::string_view text) noexcept {
    return text.find('/') != std::string_view::npos || text.ends_with(".json");
}

} // namespace coracle::sandbox
