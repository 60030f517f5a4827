#include "device_filter_private.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/sys/fd.h"

#include <array>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <sys/syscall.h>
#include <unistd.h>

namespace coracle::cgroup {

namespace {

using plan::DeviceKind;
using plan::DeviceRule;

enum Register : std::uint8_t { result, context, kind, access, major, minor, scratch };

bpf_insn instruction(std::uint8_t code, std::uint8_t destination, std::uint8_t source,
                     std::int16_t offset, std::int32_t immediate) {
    bpf_insn made{};
    made.code = code;
    made.dst_reg = destination & 0xfU;
    made.src_reg = source & 0xfU;
    made.off = offset;
    made.imm = immediate;
    return made;
}

bpf_insn load(std::uint8_t destination, std::size_t offset) {
    return instruction(BPF_LDX | BPF_MEM | BPF_W, destination, context,
                       static_cast<std::int16_t>(offset), 0);
}

bpf_insn copy(std::uint8_t destination, std::uint8_t source) {
    return instruction(BPF_ALU64 | BPF_MOV | BPF_X, destination, source, 0, 0);
}

bpf_insn compute(std::uint8_t operation, std::uint8_t destination, std::uint32_t immediate) {
    return instruction(BPF_ALU | operation | BPF_K, destination, 0, 0,
                       std::bit_cast<std::int32_t>(immediate));
}

bpf_insn jump_if(std::uint8_t condition, std::uint8_t left, std::uint32_t right) {
    return instruction(BPF_JMP32 | condition | BPF_K, left, 0, 0,
                       std::bit_cast<std::int32_t>(right));
}

void add_return(std::vector<bpf_insn>& program, bool allow) {
    program.push_back(instruction(BPF_ALU64 | BPF_MOV | BPF_K, result, 0, 0, allow ? 1 : 0));
    program.push_back(instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0));
}

/// Every jump of a rule leads behind it.
void add_rule(const DeviceRule& rule, std::vector<bpf_insn>& program) {
    std::vector<std::size_t> jumps;
    const auto leave_if = [&](std::uint8_t condition, std::uint8_t left, std::uint32_t right) {
        jumps.push_back(program.size());
        program.push_back(jump_if(condition, left, right));
    };
    if (rule.kind != DeviceKind::any) {
        leave_if(BPF_JNE, kind,
                 rule.kind == DeviceKind::block ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
    }
    if (rule.major) {
        leave_if(BPF_JNE, major, *rule.major);
    }
    if (rule.minor) {
        leave_if(BPF_JNE, minor, *rule.minor);
    }
    constexpr std::uint32_t every = BPF_DEVCG_ACC_MKNOD | BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE;
    if (rule.access != every && rule.allow) {
        program.push_back(compute(BPF_AND, access, ~rule.access)); // what is left to be allowed
        leave_if(BPF_JNE, access, 0);
    } else if (rule.access != every) {
        program.push_back(copy(scratch, access));
        program.push_back(compute(BPF_AND, scratch, rule.access));
        leave_if(BPF_JEQ, scratch, 0);
    }
    add_return(program, rule.allow);
    for (std::size_t jump : jumps) {
        program[jump].off = static_cast<std::int16_t>(program.size() - jump - 1);
    }
}

int call_bpf(int command, bpf_attr& attributes) {
    return static_cast<int>(::syscall(SYS_bpf, command, &attributes, sizeof attributes));
}

std::uint64_t address_of(const void* pointer) {
    return std::bit_cast<std::uintptr_t>(pointer);
}

sys::Fd load_program(const std::vector<bpf_insn>& program) {
    bpf_attr attributes{};
    attributes.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
    attributes.insns = address_of(program.data());
    attributes.insn_cnt = static_cast<std::uint32_t>(program.size());
    attributes.license = address_of("GPL");
    std::memcpy(static_cast<char*>(attributes.prog_name), "coracle_devices", 16);
    sys::Fd loaded(call_bpf(BPF_PROG_LOAD, attributes));
    if (!loaded) {
        int saved = errno;
        throw_system(saved, "/linux/resources/devices: load the device filter: bpf",
                     saved == EPERM
                         ? "an outer container must allow bpf(2); --cgroup-manager=disabled does "
                           "without the filter, and says so"
                     : saved == ENOSYS ? "the kernel has no CONFIG_CGROUP_BPF"
                     : saved == E2BIG || saved == EINVAL
                         ? "the kernel does not take a program of " +
                               std::to_string(program.size()) + " instructions"
                         : "");
    }
    return loaded;
}

} // namespace

std::vector<bpf_insn> compile_device_rules(const std::vector<DeviceRule>& rules) {
    std::vector<bpf_insn> program{
        load(kind, offsetof(bpf_cgroup_dev_ctx, access_type)),
        copy(access, kind),
        compute(BPF_AND, kind, 0xffffU),
        compute(BPF_RSH, access, 16),
        load(major, offsetof(bpf_cgroup_dev_ctx, major)),
        load(minor, offsetof(bpf_cgroup_dev_ctx, minor)),
    };
    for (auto rule = rules.rbegin(); rule != rules.rend(); ++rule) {
        add_rule(*rule, program);
        bool everything =
            rule->kind == DeviceKind::any && !rule->major && !rule->minor && rule->access == 7;
        if (everything) {
            return program; // it ends; the verifier refuses what is never reached
        }
    }
    add_return(program, false);
    return program;
}

void attach_device_filter(const Directory& cgroup, const std::vector<DeviceRule>& rules) {
    sys::Fd program = load_program(compile_device_rules(rules));
    bpf_attr attributes{};
    attributes.target_fd = static_cast<std::uint32_t>(cgroup.fd());
    attributes.attach_bpf_fd = static_cast<std::uint32_t>(program.get());
    attributes.attach_type = BPF_CGROUP_DEVICE;
    attributes.attach_flags = BPF_F_ALLOW_MULTI;
    if (call_bpf(BPF_PROG_ATTACH, attributes) != 0) {
        int saved = errno;
        throw_system(saved, "/linux/resources/devices: attach the device filter to " +
                                printable(cgroup.name()) + ": bpf");
    }
}

} // namespace coracle::cgroup
