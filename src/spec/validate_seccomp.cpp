#include "spec/validate_private.h"

#include "coracle/spec/seccomp_names.h"

#include <optional>

namespace coracle::spec {

namespace {

/// libseccomp takes no more; the kernel cuts what a filter returns to 4095. Source: seccomp(2),
/// seccomp_rule_add(3).
constexpr std::uint32_t highest_errno = 4094;
/// A system call has six arguments.
constexpr std::uint32_t highest_argument = 5;

/// Refuses unless `action` is known and `errno_ret` fits it.
void require_action(const std::string& action_pointer, const std::string& action,
                    const std::string& errno_pointer, std::optional<std::uint32_t> errno_ret) {
    const std::optional<std::uint32_t> value = find_seccomp_action(action);
    if (!value) {
        require_word(action_pointer, action, seccomp_actions());
        return;
    }
    if (!errno_ret) {
        return;
    }
    if (!seccomp_action_takes_errno(*value)) {
        refuse(errno_pointer,
               "goes with SCMP_ACT_ERRNO and SCMP_ACT_TRACE only, not with " + quote(action));
    }
    if (*errno_ret > highest_errno) {
        refuse(errno_pointer, "must be from 0 to " + std::to_string(highest_errno));
    }
}

void validate_syscall(const std::string& pointer, const SeccompSyscall& syscall) {
    if (syscall.names.empty()) {
        refuse(pointer + "/names", "is empty; name at least one system call");
    }
    for (std::size_t i = 0; i < syscall.names.size(); ++i) {
        if (syscall.names[i].empty()) {
            refuse(element(pointer + "/names", i), "is empty");
        }
    }
    require_action(pointer + "/action", syscall.action, pointer + "/errnoRet", syscall.errno_ret);
    for (std::size_t i = 0; i < syscall.args.size(); ++i) {
        const SeccompArg& arg = syscall.args[i];
        const std::string arg_pointer = element(pointer + "/args", i);
        if (arg.index > highest_argument) {
            refuse(arg_pointer + "/index", "must be from 0 to 5");
        }
        require_word(arg_pointer + "/op", arg.op, seccomp_operators());
    }
}

} // namespace

// Source: runtime-spec config-linux.md#seccomp.
void validate_seccomp(const Seccomp& seccomp) {
    const std::string pointer = "/linux/seccomp";
    require_action(pointer + "/defaultAction", seccomp.default_action, pointer + "/defaultErrnoRet",
                   seccomp.default_errno_ret);
    if (!seccomp.listener_path.empty()) {
        require_absolute(pointer + "/listenerPath", seccomp.listener_path);
    } else if (!seccomp.listener_metadata.empty()) {
        refuse(pointer + "/listenerMetadata", "must not be set without listenerPath");
    }
    for (std::size_t i = 0; i < seccomp.architectures.size(); ++i) {
        require_word(element(pointer + "/architectures", i), seccomp.architectures[i],
                     seccomp_architectures());
    }
    for (std::size_t i = 0; i < seccomp.flags.size(); ++i) {
        require_word(element(pointer + "/flags", i), seccomp.flags[i], seccomp_flags());
    }
    for (std::size_t i = 0; i < seccomp.syscalls.size(); ++i) {
        validate_syscall(element(pointer + "/syscalls", i), seccomp.syscalls[i]);
    }
}

} // namespace coracle::spec
