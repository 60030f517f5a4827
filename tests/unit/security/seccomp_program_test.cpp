#include "security/seccomp_program.h"

#include "support/bpf_eval.h"
#include "support/catch.h"
#include "support/forked.h"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

#include <cerrno>
#include <stdexcept>
#include <string>

namespace {

using coracle::security::append_layer;
using coracle::security::ArchitectureFilter;
using coracle::security::link_filters;
using coracle::test::evaluate_bpf;
using coracle::test::run_forked;

constexpr std::uint32_t x32_bit = 0x40000000;
constexpr std::uint32_t enosys = SECCOMP_RET_ERRNO | ENOSYS;
constexpr std::uint32_t killed = SECCOMP_RET_KILL_THREAD;

/// A program that tells by its errno that it was the one that ran.
std::vector<sock_filter> marker(std::uint32_t errnum) {
    return {sock_filter{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | errnum}};
}

TEST_CASE("seccomp link: each architecture runs its own filter", "[security]") {
    const std::vector<sock_filter> program =
        link_filters({{AUDIT_ARCH_X86_64, x32_bit, x32_bit + 512, {}, marker(3)},
                      {AUDIT_ARCH_X86_64, 0, x32_bit, {}, marker(1)},
                      {AUDIT_ARCH_I386, 0, UINT32_MAX, {}, marker(2)}},
                     killed);
    CHECK(evaluate_bpf(program, AUDIT_ARCH_X86_64, 0) == (SECCOMP_RET_ERRNO | 1));
    CHECK(evaluate_bpf(program, AUDIT_ARCH_X86_64, x32_bit - 1) == (SECCOMP_RET_ERRNO | 1));
    CHECK(evaluate_bpf(program, AUDIT_ARCH_X86_64, x32_bit) == (SECCOMP_RET_ERRNO | 3));
    CHECK(evaluate_bpf(program, AUDIT_ARCH_X86_64, UINT32_MAX) == (SECCOMP_RET_ERRNO | 3));
    CHECK(evaluate_bpf(program, AUDIT_ARCH_I386, 0) == (SECCOMP_RET_ERRNO | 2));
    CHECK(evaluate_bpf(program, AUDIT_ARCH_I386, x32_bit) == (SECCOMP_RET_ERRNO | 2));
    CHECK(evaluate_bpf(program, AUDIT_ARCH_AARCH64, 0) == killed);
}

TEST_CASE("seccomp link: only numbers between the highest known and the end are newer",
          "[security]") {
    const std::vector<sock_filter> program =
        link_filters({{AUDIT_ARCH_X86_64, x32_bit, x32_bit + 512, x32_bit + 400, marker(3)},
                      {AUDIT_ARCH_X86_64, 0, x32_bit, 450, marker(1)},
                      {AUDIT_ARCH_ARM, 0, 0x0f0000, 440, marker(4)},
                      {AUDIT_ARCH_I386, 0, UINT32_MAX, 0, marker(2)}},
                     killed);
    const std::uint32_t native = AUDIT_ARCH_X86_64;
    CHECK(evaluate_bpf(program, native, 450) == (SECCOMP_RET_ERRNO | 1));
    CHECK(evaluate_bpf(program, native, 451) == enosys);
    CHECK(evaluate_bpf(program, native, x32_bit - 1) == enosys);
    CHECK(evaluate_bpf(program, native, x32_bit + 400) == (SECCOMP_RET_ERRNO | 3));
    CHECK(evaluate_bpf(program, native, x32_bit + 401) == enosys);
    CHECK(evaluate_bpf(program, native, x32_bit + 511) == enosys);
    CHECK(evaluate_bpf(program, native, x32_bit + 512) == (SECCOMP_RET_ERRNO | 3));
    CHECK(evaluate_bpf(program, native, UINT32_MAX) == (SECCOMP_RET_ERRNO | 3));
    CHECK(evaluate_bpf(program, AUDIT_ARCH_ARM, 0x0effff) == enosys);
    CHECK(evaluate_bpf(program, AUDIT_ARCH_ARM, 0x0f0005) == (SECCOMP_RET_ERRNO | 4));
    CHECK(evaluate_bpf(program, AUDIT_ARCH_I386, 0) == (SECCOMP_RET_ERRNO | 2));
    CHECK(evaluate_bpf(program, AUDIT_ARCH_I386, 1) == enosys);
}

TEST_CASE("seccomp link: x86-64 without x32 leaves x32 numbers to its filter", "[security]") {
    const std::vector<sock_filter> program =
        link_filters({{AUDIT_ARCH_X86_64, 0, x32_bit, 450, marker(1)}}, killed);
    CHECK(evaluate_bpf(program, AUDIT_ARCH_X86_64, 451) == enosys);
    CHECK(evaluate_bpf(program, AUDIT_ARCH_X86_64, x32_bit + 451) == (SECCOMP_RET_ERRNO | 1));
    CHECK(evaluate_bpf(program, AUDIT_ARCH_I386, 1) == killed);
}

TEST_CASE("seccomp link: a layer is asked what the one before leaves to the default",
          "[security]") {
    const std::uint32_t otherwise = SECCOMP_RET_ERRNO | 9;
    const auto answers = [&](std::uint32_t number, std::uint32_t action) {
        return std::vector<sock_filter>{{BPF_LD | BPF_W | BPF_ABS, 0, 0, 0},
                                        {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, number},
                                        {BPF_RET | BPF_K, 0, 0, action},
                                        {BPF_RET | BPF_K, 0, 0, otherwise}};
    };
    std::vector<sock_filter> program;
    for (const std::uint32_t number : {1U, 2U, 3U, 2U}) {
        append_layer(program, otherwise, answers(number, SECCOMP_RET_TRACE | number));
    }
    coracle::test::require_loadable(program);
    for (const std::uint32_t number : {1U, 2U, 3U}) {
        CHECK(evaluate_bpf(program, 0, number) == (SECCOMP_RET_TRACE | number));
    }
    CHECK(evaluate_bpf(program, 0, 4) == otherwise);
}

// ---- the judge itself

/// A program that was taken may end the process at once.
bool kernel_takes(const std::vector<sock_filter>& program) {
    return run_forked([&] {
               std::vector<sock_filter> copy = program;
               const sock_fprog filter{static_cast<unsigned short>(copy.size()), copy.data()};
               return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
                              ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0
                          ? std::string("taken")
                          : std::string("refused");
           }) != "refused";
}

bool judge_takes(const std::vector<sock_filter>& program) {
    try {
        coracle::test::require_loadable(program);
        return true;
    } catch (const std::runtime_error&) { // catch: the answer
        return false;
    }
}

TEST_CASE("bpf judge: it takes what the kernel takes", "[security]") {
    const sock_filter allow{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW};
    std::vector<std::vector<sock_filter>> programs = {
        {},
        {allow},
        {{BPF_RET | BPF_A, 0, 0, 0}, allow},
        {{BPF_RET | BPF_X, 0, 0, 0}, allow},
        {allow, {BPF_LD | BPF_IMM, 0, 0, 1}},
        {{BPF_JMP | BPF_JA, 0, 0, 0}, allow},
        {{BPF_JMP | BPF_JA, 0, 0, 1}, allow},
        {{BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0}, allow},
        {{BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 0}, allow},
        {{BPF_JMP | BPF_JSET | BPF_X, 0, 0, 0}, allow},
        {{BPF_JMP | 0x50, 0, 0, 0}, allow},
        {{BPF_LD | BPF_W | BPF_ABS, 0, 0, 60}, allow},
        {{BPF_LD | BPF_W | BPF_ABS, 0, 0, 64}, allow},
        {{BPF_LD | BPF_W | BPF_ABS, 0, 0, 2}, allow},
        {{BPF_LD | BPF_H | BPF_ABS, 0, 0, 0}, allow},
        {{BPF_LD | BPF_W | BPF_IND, 0, 0, 0}, allow},
        {{BPF_LDX | BPF_B | BPF_MSH, 0, 0, 0}, allow},
        {{BPF_ST, 0, 0, 15}, allow},
        {{BPF_ST, 0, 0, 16}, allow},
        {{BPF_ST, 0, 0, 3}, {BPF_LD | BPF_MEM, 0, 0, 3}, allow},
        {{BPF_ALU | BPF_DIV | BPF_K, 0, 0, 1}, allow},
        {{BPF_ALU | BPF_DIV | BPF_K, 0, 0, 0}, allow},
        {{BPF_ALU | BPF_MOD | BPF_K, 0, 0, 1}, allow},
        {{BPF_ALU | BPF_LSH | BPF_K, 0, 0, 31}, allow},
        {{BPF_ALU | BPF_LSH | BPF_K, 0, 0, 32}, allow},
        {{BPF_ALU | BPF_XOR | BPF_X, 0, 0, 0}, allow},
        {{BPF_ALU | BPF_NEG, 0, 0, 0}, allow},
        {{BPF_MISC | BPF_TAX, 0, 0, 0}, {BPF_MISC | BPF_TXA, 0, 0, 0}, allow},
        {{BPF_MISC | 0x40, 0, 0, 0}, allow},
        {{0x1000, 0, 0, 0}, allow},
    };
    programs.emplace_back(BPF_MAXINSNS, allow);
    for (std::size_t i = 0; i < programs.size(); ++i) {
        CAPTURE(i);
        CHECK(judge_takes(programs[i]) == kernel_takes(programs[i]));
    }
}

} // namespace
