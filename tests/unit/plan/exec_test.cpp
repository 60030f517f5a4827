#include "support/catch.h"

#include "coracle/base/error.h"
#include "unit/plan/plan_support.h"

#include <string>

using namespace coracle;
using namespace coracle::test;

namespace {

plan::ExecLaunchPlan exec_plan(const Case& c, const host::ContainerFacts& container,
                               plan::ExecOptions options = {}) {
    options.id = "c1";
    return plan::make_exec_plan(c.config, c.facts, container, options);
}

host::ContainerFacts with_user_namespace() {
    return {{NamespaceKind::user, NamespaceKind::mount}, {{0, 1000, 1}}, {{0, 1000, 1}}};
}

} // namespace

TEST_CASE("plan exec: the namespaces are those that the container has and the caller not",
          "[plan]") {
    Case c = small_case();
    plan::ExecLaunchPlan plan = exec_plan(c, {{NamespaceKind::mount, NamespaceKind::pid}, {}, {}});
    CHECK(plan.namespaces == std::vector<NamespaceKind>{NamespaceKind::mount, NamespaceKind::pid});
    CHECK_FALSE(plan.exec.joins_user_namespace);
    CHECK(plan.exec.id == "c1");
    CHECK(plan.exec.joins.empty());
}

TEST_CASE("plan exec: ids must be in the map of the container's user namespace", "[plan]") {
    Case c = small_case();
    CHECK(exec_plan(c, with_user_namespace()).exec.joins_user_namespace);
    c.process().user.uid = 1;
    CHECK_THROWS_AS(exec_plan(c, with_user_namespace()), Error);
    CHECK(exec_plan(c, {{NamespaceKind::mount}, {}, {}}).exec.process.uid == 1);
}

TEST_CASE("plan exec: groups are set where the user namespace allows it", "[plan]") {
    Case c = small_case();
    CHECK(exec_plan(c, with_user_namespace()).exec.process.groups_method ==
          plan::GroupsMethod::set_if_allowed);
    c.config.annotations["run.oci.keep_original_groups"] = "1";
    CHECK(exec_plan(c, with_user_namespace()).exec.process.groups_method ==
          plan::GroupsMethod::keep);
}

TEST_CASE("plan exec: the container's filter binds the process", "[plan]") {
    Case c = small_case();
    c.config.linux_->seccomp.emplace();
    c.config.linux_->seccomp->default_action = "SCMP_ACT_ALLOW";
    plan::ExecLaunchPlan plan = exec_plan(c, {});
    CHECK(plan.seccomp);
    CHECK(plan.exec.process.has_filter);
}

TEST_CASE("plan exec: a degradation is an error with --strict", "[plan]") {
    Case c = small_case();
    c.process().capabilities.emplace();
    c.process().capabilities->bounding = {"CAP_NO_SUCH"};
    CHECK(exec_plan(c, {}).degradations.size() == 1);
    plan::ExecOptions strict;
    strict.strict = true;
    CHECK_THROWS_AS(exec_plan(c, {}, strict), Error);
}

TEST_CASE("plan exec: the joiner enters the cgroup where the executor is of another uid",
          "[plan]") {
    Case c = small_case();
    c.facts.euid = 1000;
    c.facts.privileged = false;
    CHECK(exec_plan(c, with_user_namespace()).placed == plan::ExecPlaced::executor);
    host::ContainerFacts other{{NamespaceKind::user}, {{0, 100000, 65536}}, {{0, 100000, 65536}}};
    CHECK(exec_plan(c, other).placed == plan::ExecPlaced::joiner);
    c.facts.privileged = c.facts.initial_user_namespace = true;
    CHECK(exec_plan(c, other).placed == plan::ExecPlaced::executor);
}
