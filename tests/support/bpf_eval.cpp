#include "support/bpf_eval.h"

#include <cstddef>
#include <cstring>
#include <stdexcept>
#include <string>

namespace coracle::test {
namespace {

class Machine {
  public:
    Machine(const std::vector<sock_filter>& program, const seccomp_data& data)
        : program_(program), data_(data) {}

    std::uint32_t run() {
        while (position_ < program_.size()) {
            const sock_filter& instruction = program_[position_++];
            switch (BPF_CLASS(instruction.code)) {
            case BPF_LD:
                accumulator_ = load(instruction);
                break;
            case BPF_LDX:
                index_ = load(instruction);
                break;
            case BPF_ST:
                memory_.at(instruction.k) = accumulator_;
                break;
            case BPF_STX:
                memory_.at(instruction.k) = index_;
                break;
            case BPF_ALU:
                calculate(instruction);
                break;
            case BPF_JMP:
                jump(instruction);
                break;
            case BPF_RET:
                return BPF_RVAL(instruction.code) == BPF_A ? accumulator_ : instruction.k;
            default: // BPF_MISC, the only class left in three bits
                transfer(instruction);
            }
        }
        throw std::runtime_error("bpf: ran past the end");
    }

  private:
    [[noreturn]] void refuse(const sock_filter& instruction) const {
        throw std::runtime_error("bpf: instruction " + std::to_string(position_ - 1) + " code " +
                                 std::to_string(instruction.code) + " is not allowed");
    }

    std::uint32_t load(const sock_filter& instruction) const {
        switch (BPF_MODE(instruction.code)) {
        case BPF_IMM:
            return instruction.k;
        case BPF_MEM:
            return memory_.at(instruction.k);
        case BPF_LEN:
            return sizeof(seccomp_data);
        case BPF_ABS: {
            const bool in_bounds =
                instruction.k % 4 == 0 && instruction.k + 4 <= sizeof(seccomp_data);
            if (instruction.code != (BPF_LD | BPF_W | BPF_ABS) || !in_bounds) {
                refuse(instruction);
            }
            std::uint32_t word = 0;
            std::memcpy(&word, reinterpret_cast<const char*>(&data_) + instruction.k, sizeof(word));
            return word;
        }
        default:
            refuse(instruction);
        }
    }

    std::uint32_t operand(const sock_filter& instruction) const {
        return BPF_SRC(instruction.code) == BPF_X ? index_ : instruction.k;
    }

    void calculate(const sock_filter& instruction) {
        const std::uint32_t value = operand(instruction);
        switch (BPF_OP(instruction.code)) {
        case BPF_ADD:
            accumulator_ += value;
            break;
        case BPF_SUB:
            accumulator_ -= value;
            break;
        case BPF_AND:
            accumulator_ &= value;
            break;
        case BPF_OR:
            accumulator_ |= value;
            break;
        case BPF_XOR:
            accumulator_ ^= value;
            break;
        case BPF_NEG:
            accumulator_ = 0U - accumulator_;
            break;
        default: // shifts, products and quotients, which libseccomp does not write
            refuse(instruction);
        }
    }

    bool holds(const sock_filter& instruction) const {
        const std::uint32_t value = operand(instruction);
        switch (BPF_OP(instruction.code)) {
        case BPF_JEQ:
            return accumulator_ == value;
        case BPF_JGT:
            return accumulator_ > value;
        case BPF_JGE:
            return accumulator_ >= value;
        case BPF_JSET:
            return (accumulator_ & value) != 0;
        default:
            refuse(instruction);
        }
    }

    void jump(const sock_filter& instruction) {
        if (BPF_OP(instruction.code) == BPF_JA) {
            position_ += instruction.k;
        } else {
            position_ += holds(instruction) ? instruction.jt : instruction.jf;
        }
    }

    void transfer(const sock_filter& instruction) {
        if (BPF_MISCOP(instruction.code) == BPF_TAX) {
            index_ = accumulator_;
        } else {
            accumulator_ = index_;
        }
    }

    const std::vector<sock_filter>& program_;
    const seccomp_data& data_;
    std::size_t position_ = 0;
    std::uint32_t accumulator_ = 0;
    std::uint32_t index_ = 0;
    std::array<std::uint32_t, BPF_MEMWORDS> memory_{};
};

bool is_known(std::uint16_t code) {
    switch (code) {
    case BPF_LD | BPF_W | BPF_ABS:
    case BPF_LD | BPF_W | BPF_LEN:
    case BPF_LDX | BPF_W | BPF_LEN:
    case BPF_LD | BPF_IMM:
    case BPF_LDX | BPF_IMM:
    case BPF_LD | BPF_MEM:
    case BPF_LDX | BPF_MEM:
    case BPF_ST:
    case BPF_STX:
    case BPF_MISC | BPF_TAX:
    case BPF_MISC | BPF_TXA:
    case BPF_RET | BPF_K:
    case BPF_RET | BPF_A:
    case BPF_ALU | BPF_NEG:
    case BPF_JMP | BPF_JA:
        return true;
    default: {
        const unsigned operation = code & 0xf0U;
        const bool calculates = BPF_CLASS(code) == BPF_ALU && operation <= BPF_XOR &&
                                operation != BPF_NEG && operation != BPF_MOD;
        const bool compares =
            BPF_CLASS(code) == BPF_JMP && operation >= BPF_JEQ && operation <= BPF_JSET;
        return (calculates || compares) && (code & 0xff00U) == 0;
    }
    }
}

bool is_in_bounds(const sock_filter& instruction, std::size_t left) {
    switch (instruction.code) {
    case BPF_LD | BPF_W | BPF_ABS:
        return instruction.k % 4 == 0 && instruction.k < sizeof(seccomp_data);
    case BPF_LD | BPF_MEM:
    case BPF_LDX | BPF_MEM:
    case BPF_ST:
    case BPF_STX:
        return instruction.k < BPF_MEMWORDS;
    case BPF_ALU | BPF_DIV | BPF_K:
        return instruction.k != 0;
    case BPF_ALU | BPF_LSH | BPF_K:
    case BPF_ALU | BPF_RSH | BPF_K:
        return instruction.k < 32;
    case BPF_JMP | BPF_JA:
        return instruction.k < left;
    default:
        return BPF_CLASS(instruction.code) != BPF_JMP ||
               (instruction.jt < left && instruction.jf < left);
    }
}

} // namespace

void require_loadable(const std::vector<sock_filter>& program) {
    if (program.empty() || program.size() > BPF_MAXINSNS) {
        throw std::runtime_error("bpf: " + std::to_string(program.size()) + " instructions");
    }
    for (std::size_t i = 0; i < program.size(); ++i) {
        if (!is_known(program[i].code) || !is_in_bounds(program[i], program.size() - i - 1)) {
            throw std::runtime_error("bpf: instruction " + std::to_string(i) + " code " +
                                     std::to_string(program[i].code) + " is not allowed");
        }
    }
    if (BPF_CLASS(program.back().code) != BPF_RET) {
        throw std::runtime_error("bpf: the last instruction returns nothing");
    }
}

std::vector<sock_filter> to_program(const std::vector<std::uint8_t>& bytes) {
    if (bytes.empty() || bytes.size() % sizeof(sock_filter) != 0) {
        throw std::runtime_error("bpf: " + std::to_string(bytes.size()) + " bytes are no program");
    }
    std::vector<sock_filter> program(bytes.size() / sizeof(sock_filter));
    std::memcpy(program.data(), bytes.data(), bytes.size());
    return program;
}

std::uint32_t evaluate_bpf(const std::vector<sock_filter>& program, std::uint32_t arch,
                           std::uint32_t nr, const std::array<std::uint64_t, 6>& args) {
    if (program.empty() || program.size() > BPF_MAXINSNS) {
        throw std::runtime_error("bpf: " + std::to_string(program.size()) + " instructions");
    }
    seccomp_data data = {};
    data.nr = static_cast<int>(nr);
    data.arch = arch;
    for (std::size_t i = 0; i < args.size(); ++i) {
        data.args[i] = args[i];
    }
    return Machine(program, data).run();
}

} // namespace coracle::test
