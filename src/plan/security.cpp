#include "plan_private.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"

#include <algorithm>

namespace coracle::plan {

namespace {

/// Unknown names are left out, as the runtime-spec asks, and said.
std::uint64_t make_mask(const std::vector<std::string>& names, const char* set,
                        std::uint64_t available, LaunchPlan& plan) {
    std::uint64_t mask = 0;
    for (const std::string& name : names) {
        std::optional<int> number = find_capability(name);
        std::uint64_t bit = number ? std::uint64_t{1} << static_cast<unsigned>(*number) : 0;
        if ((bit & available) == 0) {
            plan.degradations.push_back(
                {std::string("/process/capabilities/") + set,
                 printable(name) + (number ? " is not in the caller's bounding set or not known to "
                                             "the kernel"
                                           : " is not a known capability")});
        }
        mask |= bit & available;
    }
    return mask;
}

/// The kernel refuses `set` beyond `limit`: capset(2). The runtime-spec wants the rest granted.
void restrict(std::uint64_t& set, std::uint64_t limit, const char* set_name, const char* limit_name,
              LaunchPlan& plan) {
    if ((set & ~limit) != 0) {
        plan.degradations.push_back(
            {std::string("/process/capabilities/") + set_name,
             std::string("capabilities that are not in the ") + limit_name + " set are left out"});
        set &= limit;
    }
}

} // namespace

CapabilityPlan make_capabilities(const Inputs& inputs, const spec::Process& process,
                                 LaunchPlan& plan) {
    CapabilityPlan result;
    const std::optional<spec::Capabilities>& config = process.capabilities;
    if (!config) {
        return result;
    }
    // A user namespace gives who makes or joins it every capability. user_namespaces(7)
    std::uint64_t known =
        (std::uint64_t{2} << static_cast<unsigned>(inputs.facts.last_capability)) - 1;
    std::uint64_t available = plan.user_namespace != UserNamespace::current
                                  ? known
                                  : known & inputs.facts.bounding_capabilities;
    result.bounding = make_mask(config->bounding, "bounding", available, plan);
    result.effective = make_mask(config->effective, "effective", available, plan);
    result.inheritable = make_mask(config->inheritable, "inheritable", available, plan);
    result.permitted = make_mask(config->permitted, "permitted", available, plan);
    result.ambient = make_mask(config->ambient, "ambient", available, plan);
    restrict(result.effective, result.permitted, "effective", "permitted", plan);
    restrict(result.inheritable, result.bounding, "inheritable", "bounding", plan);
    // The kernel raises only what is in both: capabilities(7), "Ambient".
    std::uint64_t raisable = result.permitted & result.inheritable;
    if ((result.ambient & ~raisable) != 0) {
        plan.degradations.push_back(
            {"/process/capabilities/ambient",
             "capabilities that are not in the permitted and inheritable sets are left out"});
        result.ambient &= raisable;
    }
    return result;
}

} // namespace coracle::plan
