#include "support/catch.h"

#include "coracle/base/error.h"
#include "unit/plan/plan_support.h"

using namespace coracle;
using namespace coracle::test;

TEST_CASE("hooks plan: each kind goes to who runs it, in its order", "[plan]") {
    Case c = small_case();
    c.config.hooks.prestart = {{"/a", {}, {}, {}}, {"/b", {"x", "y"}, {"E=1"}, 5}};
    c.config.hooks.create_runtime = {{"/c", {}, {}, {}}};
    c.config.hooks.create_container = {{"/d", {}, {}, {}}};
    c.config.hooks.start_container = {{"/e", {}, {}, {}}};
    c.config.hooks.poststart = {{"/f", {}, {}, {}}};
    c.config.hooks.poststop = {{"/g", {}, {}, {}}};
    const plan::LaunchPlan plan = c.plan();
    REQUIRE(plan.hooks.prestart.size() == 2);
    CHECK(plan.hooks.prestart[0].name == "/hooks/prestart/0");
    CHECK(plan.hooks.prestart[0].args == std::vector<std::string>{"/a"});
    CHECK_FALSE(plan.hooks.prestart[0].timeout_seconds);
    CHECK(plan.hooks.prestart[1].name == "/hooks/prestart/1");
    CHECK(plan.hooks.prestart[1].args == std::vector<std::string>{"x", "y"});
    CHECK(plan.hooks.prestart[1].env == std::vector<std::string>{"E=1"});
    CHECK(plan.hooks.prestart[1].timeout_seconds == 5U);
    CHECK(plan.hooks.create_runtime.at(0).path == "/c");
    CHECK(plan.init.create_container_hooks.at(0).path == "/d");
    CHECK(plan.init.start_container_hooks.at(0).path == "/e");
    CHECK(plan.hooks.poststart.at(0).path == "/f");
    CHECK(plan.hooks.poststop.at(0).path == "/g");
}

TEST_CASE("hooks plan: init waits for hooks of the parent only", "[plan]") {
    Case c = small_case();
    CHECK_FALSE(c.plan().init.waits_for_hooks);
    c.config.hooks.create_container = {{"/d", {}, {}, {}}};
    CHECK_FALSE(c.plan().init.waits_for_hooks);
    c.config.hooks.create_runtime = {{"/c", {}, {}, {}}};
    CHECK(c.plan().init.waits_for_hooks);
    c.config.hooks.create_runtime.clear();
    c.config.hooks.prestart = {{"/c", {}, {}, {}}};
    CHECK(c.plan().init.waits_for_hooks);
}

TEST_CASE("hooks plan: output files are those of the annotations, and absolute", "[plan]") {
    Case c = small_case();
    CHECK(c.plan().hooks.output.output_path.empty());
    c.config.annotations = {{"run.oci.hooks.stdout", "/o"}, {"run.oci.hooks.stderr", "/e"}};
    CHECK(c.plan().hooks.output.output_path == "/o");
    CHECK(c.plan().hooks.output.errors_path == "/e");
    for (const char* bad : {"", "o", "./o"}) {
        INFO(bad);
        c.config.annotations["run.oci.hooks.stdout"] = bad;
        CHECK_THROWS_AS(c.plan(), Error);
    }
}
