#include "support/catch.h"

#include "cgroup/device_filter_private.h"

#include <array>
#include <string>

using namespace coracle;
using plan::DeviceKind;
using plan::DeviceRule;

namespace {

/// What bpf(2) would hand to the program.
struct Request {
    std::uint32_t type;
    std::uint32_t access;
    std::uint32_t major;
    std::uint32_t minor;
};

std::uint32_t word_at(const Request& request, int offset) {
    return offset == 0   ? request.access << 16U | request.type
           : offset == 4 ? request.major
                         : request.minor;
}

/// The instructions that the compiler uses, as the kernel's documentation of eBPF has them; -1 for
/// one that it must not use, or a jump out of the program.
int run(const std::vector<bpf_insn>& program, const Request& request) {
    std::array<std::uint64_t, 11> registers{};
    for (std::size_t at = 0; at < program.size(); ++at) {
        const bpf_insn& insn = program[at];
        std::uint64_t& target = registers.at(insn.dst_reg);
        const auto immediate = static_cast<std::uint32_t>(insn.imm);
        switch (insn.code) {
        case BPF_LDX | BPF_MEM | BPF_W:
            target = word_at(request, insn.off);
            break;
        case BPF_ALU64 | BPF_MOV | BPF_X:
            target = registers.at(insn.src_reg);
            break;
        case BPF_ALU64 | BPF_MOV | BPF_K:
            target = immediate;
            break;
        case BPF_ALU | BPF_AND | BPF_K:
            target = static_cast<std::uint32_t>(target) & immediate;
            break;
        case BPF_ALU | BPF_RSH | BPF_K:
            target = static_cast<std::uint32_t>(target) >> immediate;
            break;
        case BPF_JMP32 | BPF_JNE | BPF_K:
            at += static_cast<std::uint32_t>(target) != immediate ? insn.off : 0;
            break;
        case BPF_JMP32 | BPF_JEQ | BPF_K:
            at += static_cast<std::uint32_t>(target) == immediate ? insn.off : 0;
            break;
        case BPF_JMP | BPF_EXIT:
            return static_cast<int>(registers[0]);
        default:
            return -1;
        }
    }
    return -1;
}

constexpr std::uint32_t block = BPF_DEVCG_DEV_BLOCK;
constexpr std::uint32_t character = BPF_DEVCG_DEV_CHAR;
constexpr std::uint32_t to_make = 1;
constexpr std::uint32_t to_read = 2;
constexpr std::uint32_t to_write = 4;

const DeviceRule deny_all{false, DeviceKind::any, std::nullopt, std::nullopt, 7};

} // namespace

TEST_CASE("device filter: the last rule that matches decides, for each kind of access",
          "[cgroup]") {
    const std::vector<DeviceRule> rules{
        deny_all,
        {true, DeviceKind::character, 1, 3, 7},
        {true, DeviceKind::block, 8, std::nullopt, to_read | to_write},
        {false, DeviceKind::block, 8, 16, to_write},
        {true, DeviceKind::any, 10, 229, to_read},
        {true, DeviceKind::character, std::nullopt, std::nullopt, to_make},
        {true, DeviceKind::any, 10, 229, to_write},
    };
    struct Row {
        Request request;
        int allowed;
    };
    const std::vector<bpf_insn> program = cgroup::compile_device_rules(rules);
    for (const Row& row : std::vector<Row>{
             {{character, to_read, 1, 3}, 1},
             {{character, to_read | to_write, 1, 3}, 1},
             {{character, to_read, 1, 4}, 0},
             {{block, to_read, 1, 3}, 0},
             {{block, to_read, 8, 0}, 1},
             {{block, to_read | to_write, 8, 1}, 1},
             {{block, to_write, 8, 16}, 0},
             {{block, to_read | to_write, 8, 16}, 0}, // one of the two is refused
             {{block, to_read, 8, 16}, 1},
             {{block, to_make, 8, 0}, 0},
             {{character, to_make, 99, 99}, 1},
             {{character, to_make | to_read, 99, 99}, 0},
             {{character, to_read | to_write, 10, 229}, 1}, // by two rules
             {{block, to_read | to_write, 10, 229}, 1},
             {{block, to_read | to_make, 10, 229}, 0},
             {{character, to_read | to_write | to_make, 10, 229}, 1}, // by three
         }) {
        INFO(row.request.type << " " << row.request.access << " " << row.request.major << ":"
                              << row.request.minor);
        CHECK(run(program, row.request) == row.allowed);
    }
}

TEST_CASE("device filter: what no rule is about is denied", "[cgroup]") {
    for (const Request& request :
         {Request{character, to_read, 1, 3}, Request{block, to_make, 0, 0}}) {
        CHECK(run(cgroup::compile_device_rules({}), request) == 0);
        CHECK(run(cgroup::compile_device_rules({deny_all}), request) == 0);
        CHECK(run(cgroup::compile_device_rules({{true, DeviceKind::any, {}, {}, 7}}), request) ==
              1);
    }
}

TEST_CASE("device filter: nothing stands behind a rule that ends it", "[cgroup]") {
    const std::vector<bpf_insn> program =
        cgroup::compile_device_rules({{true, DeviceKind::block, 1, 1, 7}, deny_all});
    CHECK(program.size() == cgroup::compile_device_rules({deny_all}).size());
    CHECK(program.back().code == (BPF_JMP | BPF_EXIT));
}
