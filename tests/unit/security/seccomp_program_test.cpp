#include "security/seccomp_program.h"

#include "support/bpf_eval.h"
#include "support/catch.h"

#include <linux/audit.h>
#include <linux/seccomp.h>

#include <cerrno>

namespace {

using coracle::security::ArchitectureFilter;
using coracle::security::link_filters;
using coracle::test::evaluate_bpf;

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

} // namespace
