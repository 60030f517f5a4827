#pragma once

#include "coracle/plan/launch_plan.h"

#include <seccomp.h>

#include <cstdint>
#include <string>
#include <vector>

namespace coracle::security {

/// Comparisons that must all hold, in the order of the arguments.
using Condition = std::vector<scmp_arg_cmp>;

struct Call {
    std::string name;
    int number = 0; ///< as the native architecture counts, or libseccomp's negative stand-in
};

struct Rule {
    std::string place; ///< "linux.seccomp.syscalls[3]"
    std::uint32_t action = 0;
    std::vector<Call> calls;
    std::vector<Condition> conditions; ///< alternatives
};

struct Profile {
    std::uint32_t default_action = 0;
    std::vector<Rule> rules;
};

/// A profile in libseccomp's words; names that it does not know are left out.
/// Throws: invalid_config for an action, an operator or an argument that does not exist.
[[nodiscard]] Profile make_profile(const plan::SeccompPlan& seccomp);

} // namespace coracle::security
