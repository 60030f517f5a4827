#include "coracle/security/seccomp.h"
#include "fuzz/fuzz.h"
#include "fuzz/seccomp_rules.h"
#include "support/bpf_eval.h"

#include <cstdint>
#include <vector>

namespace {

using namespace coracle;
using namespace coracle::test;

// ---- the profile in the input

class Input {
  public:
    Input(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}
    [[nodiscard]] bool empty() const { return position_ >= size_; }
    std::uint8_t byte() { return empty() ? std::uint8_t{0} : data_[position_++]; }
    std::uint64_t value() {
        const std::uint8_t kind = byte();
        return kind < 0x80 ? kind : values[kind & 7U] ^ (std::uint64_t{kind} >> 3U & 7U);
    }

  private:
    const std::uint8_t* data_;
    std::size_t size_;
    std::size_t position_ = 0;
};

Rule read_rule(Input& input) {
    Rule rule;
    const std::uint8_t head = input.byte();
    rule.action = actions[head & 7U];
    const std::uint32_t first = input.byte();
    rule.calls = std::uint32_t{1} << first % calls.size();
    if ((head & 0x80U) != 0) { // many of them
        rule.calls = first | static_cast<std::uint32_t>(input.byte()) << 8U;
        rule.calls |= static_cast<std::uint32_t>(input.byte() & 0x0fU) << 16U;
    }
    unsigned seen = 0;
    for (unsigned count = head >> 3U & 3U; count > 0; --count) {
        const std::uint8_t which = input.byte();
        const unsigned op = which >> 3U & 7U;
        const std::uint64_t value = input.value();
        const std::uint64_t second = op == masked_equal ? input.value() : 0;
        rule.comparisons.push_back({which & 7U, op, value, second});
        rule.alternatives = rule.alternatives || (seen >> (which & 7U) & 1U) != 0;
        seen |= 1U << (which & 7U);
    }
    return rule;
}

Profile read_profile(Input& input) {
    Profile profile;
    profile.default_action = actions[input.byte() & 7U];
    const std::uint8_t named = input.byte();
    profile.listed = named & 0x0fU;
    if ((named & 0x30U) == 0x30U) { // the other byte order; unknown
        profile.wrong_arch = (named & 0x40U) != 0 ? "SCMP_ARCH_S390X" : "x86";
    }
    while (!input.empty() && profile.rules.size() < 16) {
        profile.rules.push_back(read_rule(input));
    }
    return profile;
}

plan::SeccompPlan to_plan(const Profile& profile) {
    plan::SeccompPlan plan;
    plan.default_action = profile.default_action;
    for (std::size_t i = 0; i < archs.size(); ++i) {
        if ((profile.listed >> i & 1U) != 0) {
            plan.architectures.emplace_back(archs[i].name);
        }
    }
    if (profile.wrong_arch != nullptr) {
        plan.architectures.emplace_back(profile.wrong_arch);
    }
    for (const Rule& source : profile.rules) {
        plan::SeccompRule& rule = plan.rules.emplace_back();
        rule.action = source.action;
        for (std::size_t i = 0; i < calls.size(); ++i) {
            if ((source.calls >> i & 1U) != 0) {
                rule.names.emplace_back(calls[i].name);
            }
        }
        for (const Comparison& comparison : source.comparisons) {
            rule.args.push_back(
                {comparison.index, operators[comparison.op], comparison.value, comparison.second});
        }
    }
    return plan;
}

} // namespace

/// A seccomp profile, compiled, and what the filter answers against the rules.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Input input(data, size);
    const Profile profile = read_profile(input);
    bool refused = true;
    test::run_expecting_errors([&] {
        const std::vector<sock_filter> program =
            test::to_program(security::compile_seccomp(to_plan(profile)));
        refused = false;
        test::require_loadable(program);
        check_answers(profile, program);
    });
    test::require(refused ? must_be_refused(profile) || may_be_refused(profile)
                          : !must_be_refused(profile));
    return 0;
}
