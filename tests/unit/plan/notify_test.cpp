#include "support/catch.h"

#include "unit/plan/plan_support.h"

using namespace coracle;

TEST_CASE("notify plan: the last mount and a variable", "[plan]") {
    spec::Config config;
    config.process.emplace();
    config.process->env = {"A=1"};
    REQUIRE(plan::add_notify_socket(config, "/state/c1/notify.sock"));
    CHECK(config.process->env.back() == "NOTIFY_SOCKET=/run/notify/notify.sock");
    REQUIRE(config.mounts.size() == 1);
    CHECK(config.mounts[0].source == "/state/c1/notify.sock");
    CHECK(config.mounts[0].destination == "/run/notify/notify.sock");
    CHECK(config.mounts[0].options ==
          std::vector<std::string>{"bind", "ro", "nosuid", "nodev", "noexec"});
}

TEST_CASE("notify plan: the configuration's own socket stands", "[plan]") {
    spec::Config config;
    CHECK_FALSE(plan::add_notify_socket(config, "/s")); // no process
    config.process.emplace();
    config.process->env = {"NOTIFY_SOCKET="};
    CHECK_FALSE(plan::add_notify_socket(config, "/s"));
    CHECK(config.mounts.empty());
    CHECK(config.process->env.size() == 1);
}
