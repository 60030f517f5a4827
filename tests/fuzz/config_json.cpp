#include "coracle/spec/config_json.h"
#include "coracle/plan/make_launch_plan.h"
#include "coracle/spec/validate.h"
#include "fuzz/fuzz.h"
#include "unit/plan/plan_support.h"

/// A whole config.json, and the plan made of it: for real root, for a plain user and for root in a
/// user namespace.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace coracle;
    test::run_expecting_errors([&] {
        const spec::Config config = spec::parse_config(test::to_text(data, size));
        spec::validate(config);
        for (const host::Facts& facts :
             {test::rootful(), test::rootless_bare(), test::root_in_userns()}) {
            test::run_expecting_errors([&] {
                (void)plan::describe(plan::make_launch_plan(config, facts, test::options()));
            });
        }
    });
    return 0;
}
