#include "security/seccomp_program.h"

#include <linux/audit.h>
#include <linux/seccomp.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>

namespace coracle::security {
namespace {

constexpr std::uint16_t load_word = BPF_LD | BPF_W | BPF_ABS;
constexpr std::uint16_t jump_equal = BPF_JMP | BPF_JEQ | BPF_K;
constexpr std::uint16_t jump_greater = BPF_JMP | BPF_JGT | BPF_K;
constexpr std::uint16_t jump_greater_equal = BPF_JMP | BPF_JGE | BPF_K;
constexpr std::uint16_t jump_always = BPF_JMP | BPF_JA;
constexpr std::uint16_t return_value = BPF_RET | BPF_K;

sock_filter make_jump(std::uint16_t code, std::uint32_t operand, std::uint8_t if_true,
                      std::uint8_t if_false) {
    return sock_filter{code, if_true, if_false, operand};
}

sock_filter make_statement(std::uint16_t code, std::uint32_t operand) {
    return sock_filter{code, 0, 0, operand};
}

/// The tests for one filter, with the number in the accumulator. The last instruction is the jump
/// to the filter, its distance still open.
std::vector<sock_filter> make_entry(const ArchitectureFilter& filter) {
    std::vector<sock_filter> code;
    if (filter.highest_known.has_value()) {
        code.push_back(make_jump(jump_greater, *filter.highest_known, 0, 2));
        code.push_back(make_jump(jump_greater_equal, filter.end, 1, 0));
        code.push_back(make_statement(return_value, SECCOMP_RET_ERRNO | ENOSYS));
    }
    code.push_back(make_statement(jump_always, 0));
    if (filter.first > 0) {
        const std::uint8_t skip = static_cast<std::uint8_t>(code.size());
        code.insert(code.begin(), make_jump(jump_greater_equal, filter.first, 0, skip));
    }
    return code;
}

struct Jump {
    std::size_t position;
    std::size_t filter;
};

/// The part of the dispatcher for one AUDIT_ARCH_*, with that value in the accumulator.
void append_group(const std::vector<ArchitectureFilter>& filters, std::uint32_t audit_arch,
                  std::uint32_t otherwise, std::vector<sock_filter>& code,
                  std::vector<Jump>& open_jumps) {
    const std::size_t test = code.size();
    code.push_back(make_jump(jump_equal, audit_arch, 0, 0));
    code.push_back(make_statement(load_word, offsetof(seccomp_data, nr)));
    for (std::size_t i = 0; i < filters.size(); ++i) {
        if (filters[i].audit_arch == audit_arch) {
            const std::vector<sock_filter> entry = make_entry(filters[i]);
            code.insert(code.end(), entry.begin(), entry.end());
            open_jumps.push_back(Jump{code.size() - 1, i});
        }
    }
    code.push_back(make_statement(return_value, otherwise));
    code[test].jf = static_cast<std::uint8_t>(code.size() - test - 1);
}

} // namespace

void append_layer(std::vector<sock_filter>& program, std::uint32_t otherwise,
                  const std::vector<sock_filter>& layer) {
    for (std::size_t i = 0; i < program.size(); ++i) {
        if (program[i].code == return_value && program[i].k == otherwise) {
            program[i] =
                make_statement(jump_always, static_cast<std::uint32_t>(program.size() - i - 1));
        }
    }
    program.insert(program.end(), layer.begin(), layer.end());
}

std::vector<sock_filter> link_filters(const std::vector<ArchitectureFilter>& filters,
                                      std::uint32_t otherwise) {
    std::vector<sock_filter> code = {
        make_statement(load_word, offsetof(seccomp_data, arch)),
    };
    std::vector<Jump> open_jumps;
    std::vector<std::uint32_t> seen;
    for (const ArchitectureFilter& filter : filters) {
        if (std::find(seen.begin(), seen.end(), filter.audit_arch) == seen.end()) {
            seen.push_back(filter.audit_arch);
            append_group(filters, filter.audit_arch, otherwise, code, open_jumps);
        }
    }
    code.push_back(make_statement(return_value, otherwise));
    // Jumps inside a filter are relative, so it runs wherever it stands; only the jump to it, whose
    // distance has 32 bits, depends on the place.
    for (const Jump& jump : open_jumps) {
        code[jump.position].k = static_cast<std::uint32_t>(code.size() - jump.position - 1);
        const std::vector<sock_filter>& program = filters[jump.filter].program;
        code.insert(code.end(), program.begin(), program.end());
    }
    return code;
}

} // namespace coracle::security
