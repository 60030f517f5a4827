#include "coracle/base/error.h"
#include "coracle/security/seccomp.h"

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <memory>
#include <seccomp.h>

namespace coracle::security {

namespace {

constexpr std::uint32_t x32_bit = 0x40000000;

[[noreturn]] void throw_unknown(const sock_filter& instruction) {
    throw_error(ErrorKind::internal, "the seccomp filter has an instruction of code " +
                                         std::to_string(instruction.code) +
                                         ", which libseccomp has not written before");
}

bool holds(const sock_filter& jump, std::uint32_t value) {
    switch (jump.code) {
    case BPF_JMP | BPF_JEQ | BPF_K:
        return value == jump.k;
    case BPF_JMP | BPF_JGT | BPF_K:
        return value > jump.k;
    case BPF_JMP | BPF_JGE | BPF_K:
        return value >= jump.k;
    case BPF_JMP | BPF_JSET | BPF_K:
        return (value & jump.k) != 0;
    default:
        throw_unknown(jump);
    }
}

/// The few instructions that libseccomp and link_filters write. Source: seccomp(2), bpf(4).
std::uint32_t run(const std::vector<sock_filter>& program, const seccomp_data& data) {
    std::uint32_t accumulator = 0;
    for (std::size_t next = 0; next < program.size();) {
        const sock_filter& instruction = program[next++];
        switch (instruction.code) {
        case BPF_LD | BPF_W | BPF_ABS:
            if (instruction.k > sizeof data - sizeof accumulator) {
                throw_unknown(instruction);
            }
            std::memcpy(&accumulator, reinterpret_cast<const char*>(&data) + instruction.k,
                        sizeof accumulator);
            break;
        case BPF_ALU | BPF_AND | BPF_K:
            accumulator &= instruction.k;
            break;
        case BPF_JMP | BPF_JA:
            next += instruction.k;
            break;
        case BPF_RET | BPF_K:
            return instruction.k;
        default:
            next += holds(instruction, accumulator) ? instruction.jt : instruction.jf;
        }
    }
    throw_error(ErrorKind::internal, "the seccomp filter has no answer");
}

} // namespace

std::uint32_t answer_of(const std::vector<std::uint8_t>& program, const SystemCall& call) {
    std::vector<sock_filter> instructions(program.size() / sizeof(sock_filter));
    std::memcpy(instructions.data(), program.data(), instructions.size() * sizeof(sock_filter));
    seccomp_data data{};
    data.nr = static_cast<int>(call.number);
    data.arch = call.architecture;
    for (std::size_t i = 0; i < call.arguments.size(); ++i) {
        data.args[i] = call.arguments[i];
    }
    return run(instructions, data);
}

std::optional<SystemCall> find_system_call(const std::string& name) {
    const std::uint32_t native = seccomp_arch_native();
    const int number = seccomp_syscall_resolve_name_arch(native, name.c_str());
    if (number < 0) {
        return std::nullopt;
    }
    return SystemCall{native, static_cast<std::uint32_t>(number), {}};
}

std::string describe_system_call(const SystemCall& call) {
    // libseccomp has a token of its own for x32; the others are AUDIT_ARCH_*.
    const bool x32 = call.architecture == AUDIT_ARCH_X86_64 && (call.number & x32_bit) != 0;
    const std::unique_ptr<char, decltype(&std::free)> name(
        seccomp_syscall_resolve_num_arch(x32 ? SCMP_ARCH_X32 : call.architecture,
                                         static_cast<int>(call.number)),
        &std::free);
    return name ? std::string(name.get()) : "number " + std::to_string(call.number);
}

} // namespace coracle::security
