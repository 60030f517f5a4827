#include "support/catch.h"

#include "coracle/base/error.h"
#include "unit/plan/plan_support.h"

#include <algorithm>

using namespace coracle;
using namespace coracle::test;

namespace {

constexpr std::uint32_t new_listener = 8; // SECCOMP_FILTER_FLAG_*: seccomp(2)
constexpr std::uint32_t tsync_errno = 16;
constexpr std::uint32_t wait_killable = 32;

Case notifying_case() {
    Case c = small_case();
    c.linux_().seccomp.emplace();
    c.linux_().seccomp->default_action = "SCMP_ACT_ALLOW";
    c.linux_().seccomp->syscalls = {{{"getcpu"}, "SCMP_ACT_NOTIFY", {}, {}}};
    c.linux_().seccomp->listener_path = "/agent";
    c.linux_().seccomp->listener_metadata = "m";
    return c;
}

} // namespace

TEST_CASE("seccomp plan: a notified call gives the filter a listener", "[plan]") {
    Case c = notifying_case();
    plan::LaunchPlan plan = c.plan();
    REQUIRE(plan.seccomp.value().listener);
    CHECK(plan.seccomp->listener->path == "/agent");
    CHECK(plan.seccomp->listener->metadata == "m");
    CHECK(plan.init.process.filter_flags == new_listener);
    c.linux_().seccomp->flags = {"SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG",
                                 "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
                                 "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"};
    CHECK(c.plan().init.process.filter_flags ==
          (1 | 2 | 4 | new_listener | tsync_errno | wait_killable));
}

TEST_CASE("seccomp plan: without a notified call the listener is ignored", "[plan]") {
    Case c = notifying_case();
    c.linux_().seccomp->syscalls[0].action = "SCMP_ACT_ERRNO";
    CHECK_FALSE(c.plan().seccomp.value().listener);
    CHECK(c.plan().init.process.filter_flags == 0);
}

TEST_CASE("seccomp plan: the annotation counts where the profile has no path", "[plan]") {
    Case c = notifying_case();
    c.config.annotations = {{"run.oci.seccomp.receiver", "/other"}};
    CHECK(c.plan().seccomp.value().listener.value().path == "/agent");
    c.linux_().seccomp->listener_path.clear();
    CHECK(c.plan().seccomp.value().listener.value().path == "/other");
}

TEST_CASE("annotations plan: unknown system calls are an error if asked for", "[plan]") {
    Case c = notifying_case();
    CHECK_FALSE(c.plan().seccomp.value().fail_unknown_calls);
    c.config.annotations = {{"run.oci.seccomp_fail_unknown_syscall", "1"}};
    CHECK(c.plan().seccomp.value().fail_unknown_calls);
    c.config.annotations = {{"run.oci.seccomp_fail_unknown_syscall", "0"}};
    CHECK_FALSE(c.plan().seccomp.value().fail_unknown_calls);
}

TEST_CASE("annotations plan: the pidfd's receiver, and what needs cgroups", "[plan]") {
    Case c = small_case();
    const std::size_t before = c.plan().degradations.size();
    c.config.annotations = {{"run.oci.pidfd_receiver", "/p"}, {"other", "x"}};
    CHECK(c.plan().pidfd_receiver == "/p");
    CHECK(c.plan().degradations.size() == before);
    for (const char* name : {"run.oci.systemd.subgroup", "run.oci.delegate-cgroup"}) {
        c.config.annotations = {{name, "x"}};
        const plan::LaunchPlan plan = c.plan();
        REQUIRE(plan.degradations.size() == before + 1);
        CHECK(std::any_of(plan.degradations.begin(), plan.degradations.end(),
                          [&](const plan::Degradation& entry) {
                              return entry.what == std::string("/annotations/") + name;
                          }));
    }
}
