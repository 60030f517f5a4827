#include "coracle/security/seccomp.h"

#include "support/bpf_eval.h"
#include "support/catch.h"

#include <linux/audit.h>
#include <linux/seccomp.h>

#include <cerrno>

namespace {

using coracle::plan::SeccompArgument;
using coracle::plan::SeccompPlan;
using coracle::plan::SeccompRule;
using coracle::security::compile_seccomp;
using coracle::test::evaluate_bpf;
using coracle::test::to_program;

constexpr std::uint32_t personality = 135; // x86-64
constexpr std::uint32_t denied = SECCOMP_RET_ERRNO | EACCES;
constexpr std::uint64_t high = std::uint64_t{1} << 32;

/// Everything is refused but personality where all of `args` hold.
std::vector<sock_filter> compile_with(const std::vector<SeccompArgument>& args) {
    SeccompPlan plan;
    plan.default_action = denied;
    plan.architectures = {"SCMP_ARCH_X86_64"};
    plan.rules = {SeccompRule{{"personality"}, SECCOMP_RET_ALLOW, args}};
    return to_program(compile_seccomp(plan));
}

bool allows(const std::vector<sock_filter>& program, const std::array<std::uint64_t, 6>& args) {
    return evaluate_bpf(program, AUDIT_ARCH_X86_64, personality, args) == SECCOMP_RET_ALLOW;
}

struct Case {
    const char* op;
    std::uint64_t value;
    std::uint64_t value_two;
    std::uint64_t given;
    bool allowed;
};

TEST_CASE("seccomp arguments: each operator compares 64 bits without a sign", "[security]") {
    const std::vector<Case> cases = {
        {"SCMP_CMP_EQ", 5, 0, 5, true},
        {"SCMP_CMP_EQ", 5, 0, 6, false},
        {"SCMP_CMP_EQ", 5, 0, high | 5, false},
        {"SCMP_CMP_EQ", high | 5, 0, high | 5, true},
        {"SCMP_CMP_NE", 5, 0, 5, false},
        {"SCMP_CMP_NE", 5, 0, 6, true},
        {"SCMP_CMP_NE", 5, 0, high | 5, true},
        {"SCMP_CMP_LT", 5, 0, 4, true},
        {"SCMP_CMP_LT", 5, 0, 5, false},
        {"SCMP_CMP_LT", 5, 0, high, false},
        {"SCMP_CMP_LT", high | 5, 0, 6, true},
        {"SCMP_CMP_LE", 5, 0, 5, true},
        {"SCMP_CMP_LE", 5, 0, 6, false},
        {"SCMP_CMP_LE", high | 5, 0, high | 5, true},
        {"SCMP_CMP_GE", 5, 0, 5, true},
        {"SCMP_CMP_GE", 5, 0, 4, false},
        {"SCMP_CMP_GE", 5, 0, high, true},
        {"SCMP_CMP_GE", high, 0, 5, false},
        {"SCMP_CMP_GT", 5, 0, 5, false},
        {"SCMP_CMP_GT", 5, 0, 6, true},
        {"SCMP_CMP_GT", 5, 0, UINT64_MAX, true},
        {"SCMP_CMP_GT", high, 0, 5, false},
        // value is the mask, valueTwo what must be left.
        {"SCMP_CMP_MASKED_EQ", 0x7E020000, 0, 0x11, true},
        {"SCMP_CMP_MASKED_EQ", 0x7E020000, 0, 0x10000011, false},
        {"SCMP_CMP_MASKED_EQ", 0xF0, 0x30, 0x3F, true},
        {"SCMP_CMP_MASKED_EQ", 0xF0, 0x30, 0x4F, false},
        {"SCMP_CMP_MASKED_EQ", high, high, high | 7, true},
        {"SCMP_CMP_MASKED_EQ", high, high, 7, false},
    };
    for (const Case& test : cases) {
        CAPTURE(test.op, test.value, test.value_two, test.given);
        const std::vector<sock_filter> program =
            compile_with({{0, test.op, test.value, test.value_two}});
        CHECK(allows(program, {test.given}) == test.allowed);
    }
}

TEST_CASE("seccomp arguments: each index is compared", "[security]") {
    for (std::uint32_t index = 0; index < 6; ++index) {
        CAPTURE(index);
        const std::vector<sock_filter> program = compile_with({{index, "SCMP_CMP_EQ", 7, 0}});
        std::array<std::uint64_t, 6> args{};
        CHECK_FALSE(allows(program, args));
        args[index] = 7;
        CHECK(allows(program, args));
    }
}

TEST_CASE("seccomp arguments: different indexes of one rule must all hold", "[security]") {
    const std::vector<sock_filter> program =
        compile_with({{0, "SCMP_CMP_EQ", 1, 0}, {2, "SCMP_CMP_GT", 5, 0}});
    CHECK(allows(program, {1, 0, 6}));
    CHECK_FALSE(allows(program, {1, 0, 5}));
    CHECK_FALSE(allows(program, {2, 0, 6}));
}

TEST_CASE("seccomp arguments: with an index twice any comparison of the rule is enough",
          "[security]") {
    const std::vector<sock_filter> program = compile_with(
        {{0, "SCMP_CMP_EQ", 1, 0}, {0, "SCMP_CMP_EQ", 8, 0}, {1, "SCMP_CMP_EQ", 3, 0}});
    CHECK(allows(program, {1, 0}));
    CHECK(allows(program, {8, 0}));
    CHECK(allows(program, {5, 3}));
    CHECK_FALSE(allows(program, {5, 4}));
}

// libseccomp 2.5.4 alone never asks the second and answers with the default.
TEST_CASE("seccomp arguments: of several conditions of one call each is asked", "[security]") {
    const std::vector<std::vector<SeccompArgument>> conditions = {
        {{0, "SCMP_CMP_LT", 10, 0}},
        {{0, "SCMP_CMP_LT", high, 0}},
        {{0, "SCMP_CMP_MASKED_EQ", 0xff, 0x30}, {1, "SCMP_CMP_EQ", 1, 0}},
        {{1, "SCMP_CMP_GE", 5, 0}},
        {{0, "SCMP_CMP_EQ", high | 7, 0}},
    };
    SeccompPlan plan;
    plan.default_action = denied;
    for (const std::vector<SeccompArgument>& condition : conditions) {
        plan.rules.push_back(SeccompRule{{"personality"}, SECCOMP_RET_ALLOW, condition});
    }
    const std::vector<sock_filter> program = to_program(compile_seccomp(plan));
    coracle::test::require_loadable(program);
    CHECK(allows(program, {9}));
    CHECK(allows(program, {28}));
    CHECK(allows(program, {high | 0x30, 1}));
    CHECK_FALSE(allows(program, {high | 0x31, 1}));
    CHECK_FALSE(allows(program, {high | 0x30, 2}));
    CHECK(allows(program, {high, 5}));
    CHECK(allows(program, {high | 7}));
    CHECK_FALSE(allows(program, {high | 8}));
}

TEST_CASE("seccomp arguments: rules of one call are alternatives", "[security]") {
    SeccompPlan plan;
    plan.default_action = denied;
    plan.architectures = {"SCMP_ARCH_X86_64"};
    plan.rules = {
        SeccompRule{{"socket"}, SECCOMP_RET_ALLOW, {{0, "SCMP_CMP_NE", 16, 0}}},
        SeccompRule{{"socket"}, SECCOMP_RET_ALLOW, {{2, "SCMP_CMP_NE", 9, 0}}},
        SeccompRule{{"socket"},
                    SECCOMP_RET_ERRNO | EINVAL,
                    {{0, "SCMP_CMP_EQ", 16, 0}, {2, "SCMP_CMP_EQ", 9, 0}}},
    };
    const std::vector<sock_filter> program = to_program(compile_seccomp(plan));
    constexpr std::uint32_t socket = 41;
    const std::uint32_t arch = AUDIT_ARCH_X86_64;
    CHECK(evaluate_bpf(program, arch, socket, {2, 1, 0}) == SECCOMP_RET_ALLOW);
    CHECK(evaluate_bpf(program, arch, socket, {16, 1, 0}) == SECCOMP_RET_ALLOW);
    CHECK(evaluate_bpf(program, arch, socket, {2, 1, 9}) == SECCOMP_RET_ALLOW);
    CHECK(evaluate_bpf(program, arch, socket, {16, 1, 9}) == (SECCOMP_RET_ERRNO | EINVAL));
}

} // namespace
