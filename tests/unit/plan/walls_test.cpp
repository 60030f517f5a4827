#include "support/catch.h"

#include "coracle/base/error.h"
#include "unit/plan/plan_support.h"

#include <csignal>
#include <functional>
#include <string>
#include <vector>

using namespace coracle;
using namespace coracle::test;

namespace {

constexpr const char* landlock = "org.coracle.landlock";
constexpr const char* nested_users = "org.coracle.nested-user-namespaces";
constexpr const char* core_scheduling = "org.coracle.core-scheduling";
constexpr const char* parent_death = "org.coracle.parent-death-signal";

constexpr const char* everything =
    R"({"fs": [{"path": "/", "access": "ro"}, {"path": "/tmp", "access": "rw"},
               {"path": "/etc", "access": "read"}],
        "net": {"bind": [80], "connect": [443]}, "scope": ["abstract-unix-socket", "signal"]})";

Case with(const char* name, const char* value, int abi = 7) {
    Case c = small_case(rootless_bare());
    c.facts.groups = {1000};
    c.facts.landlock.abi = abi;
    if (abi == 0) {
        c.facts.landlock.problem = "no Landlock here";
    }
    c.config.annotations = {{name, value}};
    return c;
}

std::vector<std::string> degradations_of(const plan::LaunchPlan& plan) {
    std::vector<std::string> texts;
    for (const plan::Degradation& entry : plan.degradations) {
        if (entry.what.rfind("/annotations/", 0) == 0) {
            texts.push_back(entry.what.substr(13) + ": " + entry.why);
        }
    }
    return texts;
}

std::string error_of(const Case& c, ErrorKind kind) {
    try {
        (void)c.plan();
    } catch (const Error& error) {
        CHECK(error.kind() == kind);
        return error.text();
    }
    return "planned";
}

} // namespace

TEST_CASE("landlock plan: each access is its rights", "[plan]") {
    CHECK_FALSE(small_case().plan().init.process.landlock);
    const plan::LaunchPlan all = with(landlock, everything).plan();
    const plan::LandlockPlan plan = all.init.process.landlock.value();
    CHECK(plan.handled_fs == 0xffff);
    CHECK(plan.handled_net == 3);
    CHECK(plan.scoped == 3);
    CHECK(plan.file_rights == 0xc007); // execute, write, read, truncate, ioctl
    REQUIRE(plan.paths.size() == 3);
    CHECK(plan.paths[0].path == "/");
    CHECK(plan.paths[0].rights == 0xd); // execute, read, list
    CHECK(plan.paths[1].rights == 0xffff);
    CHECK(plan.paths[2].rights == 0xc);
    REQUIRE(plan.ports.size() == 2);
    CHECK((plan.ports[0].port == 80 && plan.ports[0].rights == 1));
    CHECK((plan.ports[1].port == 443 && plan.ports[1].rights == 2));
    CHECK(degradations_of(all).empty());
}

TEST_CASE("landlock plan: what an older kernel lacks is said, and never asked of it", "[plan]") {
    struct Kernel {
        int abi;
        std::uint64_t fs, net, scoped;
        std::vector<std::string> lacks;
    };
    const std::string truncate = "truncate(2) is not restricted, which needs Linux 6.2";
    const std::string ioctl = "ioctl(2) of devices is not restricted, which needs Linux 6.10";
    const std::string files = "files are not restricted, which needs Linux 5.19";
    const std::string ports = "ports are not restricted, which needs Linux 6.7";
    const std::string scopes =
        "signals and abstract unix sockets are not restricted, which needs Linux 6.12";
    for (const Kernel& kernel : std::vector<Kernel>{
             {0, 0, 0, 0, {files, ports, scopes}},
             {1, 0, 0, 0, {files, ports, scopes}},
             {2, 0x3fff, 0, 0, {truncate, ioctl, ports, scopes}},
             {3, 0x7fff, 0, 0, {ioctl, ports, scopes}},
             {4, 0x7fff, 3, 0, {ioctl, scopes}},
             {5, 0xffff, 3, 0, {scopes}},
             {6, 0xffff, 3, 3, {}},
             {99, 0xffff, 3, 3, {}},
         }) {
        INFO("ABI " << kernel.abi);
        Case c = with(landlock, everything, kernel.abi);
        const plan::LaunchPlan whole = c.plan();
        const plan::LandlockPlan plan = whole.init.process.landlock.value_or(plan::LandlockPlan{});
        CHECK(whole.init.process.landlock.has_value() == (kernel.fs != 0));
        CHECK(plan.handled_fs == kernel.fs);
        CHECK(plan.handled_net == kernel.net);
        CHECK(plan.scoped == kernel.scoped);
        for (const plan::LandlockPath& path : plan.paths) {
            CHECK((path.rights & ~kernel.fs) == 0);
        }
        const std::vector<std::string> said = degradations_of(whole);
        REQUIRE(said.size() == kernel.lacks.size());
        for (std::size_t i = 0; i < said.size(); ++i) {
            CHECK(said[i].find(kernel.lacks[i]) != std::string::npos);
            CHECK(said[i].find(kernel.abi == 0 ? "no Landlock here" : "ABI ") != std::string::npos);
        }
        c.options.strict = true;
        CHECK((error_of(c, ErrorKind::unsupported) == "planned") == kernel.lacks.empty());
    }
}

TEST_CASE("landlock plan: what is not asked for is not lacking", "[plan]") {
    const plan::LaunchPlan files =
        with(landlock, R"({"fs": [{"path": "/", "access": "rw"}]})", 5).plan();
    CHECK(degradations_of(files).empty());
    CHECK(files.init.process.landlock.value().handled_net == 0);
    const plan::LaunchPlan ports = with(landlock, R"({"net": {"connect": [443]}})", 4).plan();
    CHECK(degradations_of(ports).empty());
    CHECK(ports.init.process.landlock.value().handled_fs == 0);
    CHECK(ports.init.process.landlock->handled_net == 3); // no port may be bound
    CHECK(with(landlock, R"({"scope": ["signal"]})").plan().init.process.landlock->scoped == 2);
}

TEST_CASE("landlock plan: only who asks needs the fact", "[plan]") {
    CHECK(plan::needs_landlock(with(landlock, everything).config));
    CHECK_FALSE(plan::needs_landlock(with(nested_users, "deny").config));
}

TEST_CASE("nested user namespaces plan: the limit of the container's own is 0", "[plan]") {
    const plan::LaunchPlan plan = with(nested_users, "deny").plan();
    REQUIRE(plan.init.sysctls.size() == 1);
    CHECK(plan.init.sysctls[0] ==
          std::pair<std::string, std::string>("user/max_user_namespaces", "0"));
    CHECK(degradations_of(plan).empty());
}

TEST_CASE("nested user namespaces plan: what cannot hold is refused or said", "[plan]") {
    const std::string pointer = std::string("/annotations/") + nested_users;
    Case c = with(nested_users, "allow");
    CHECK(error_of(c, ErrorKind::invalid_config) == pointer + ": allow must be deny");
    c = with(nested_users, "deny");
    c.linux_().sysctl = {{"user.max_user_namespaces", "7"}};
    CHECK(error_of(c, ErrorKind::invalid_config).rfind(pointer + ": /linux/sysctl sets", 0) == 0);
    Case shared = small_case();
    shared.config.annotations = {{nested_users, "deny"}};
    CHECK(error_of(shared, ErrorKind::invalid_config).find("add a new one") != std::string::npos);
    shared.linux_().namespaces.push_back({"user", "/proc/1/ns/user"});
    CHECK(error_of(shared, ErrorKind::invalid_config).find("add a new one") != std::string::npos);
    c = with(nested_users, "deny");
    c.process().capabilities.emplace().bounding = {"CAP_SYS_RESOURCE"};
    REQUIRE(degradations_of(c.plan()).size() == 1);
    CHECK(degradations_of(c.plan())[0].find("may set the limit back") != std::string::npos);
}

TEST_CASE("core scheduling plan: the first process has a cookie, exec takes that", "[plan]") {
    CHECK(with(core_scheduling, "true").plan().init.process.own_core_cookie);
    CHECK_FALSE(with(core_scheduling, "false").plan().init.process.own_core_cookie);
    CHECK(error_of(with(core_scheduling, "1"), ErrorKind::invalid_config) ==
          "/annotations/org.coracle.core-scheduling: 1 must be true or false");
    plan::ExecOptions options;
    options.init = 77;
    Case c = with(core_scheduling, "true");
    plan::ExecLaunchPlan exec = plan::make_exec_plan(c.config, c.facts, {}, options);
    CHECK(exec.exec.core_cookie_of == 77);
    CHECK_FALSE(exec.exec.process.own_core_cookie);
    c.config.annotations.clear();
    CHECK(plan::make_exec_plan(c.config, c.facts, {}, options).exec.core_cookie_of == 0);
}

TEST_CASE("walls plan: exec has them, and what it may take down", "[plan]") {
    Case c = with(landlock, everything, 2);
    plan::ExecLaunchPlan exec = plan::make_exec_plan(c.config, c.facts, {}, {});
    CHECK(exec.exec.process.landlock.value().handled_fs == 0x3fff);
    CHECK(exec.degradations.size() == 4);
    c = with(nested_users, "deny");
    c.process().capabilities.emplace().bounding = {"CAP_SYS_RESOURCE"};
    CHECK(plan::make_exec_plan(c.config, c.facts, {}, {}).degradations.size() == 1);
    c = with(parent_death, "SIGKILL");
    CHECK(plan::make_exec_plan(c.config, c.facts, {}, {}).exec.process.parent_death_signal == 0);
}

TEST_CASE("parent death plan: only where the caller stays", "[plan]") {
    Case c = with(parent_death, "SIGKILL");
    CHECK(error_of(c, ErrorKind::unsupported).find("only run without --detach") !=
          std::string::npos);
    c.options.attended = true;
    CHECK(c.plan().init.process.parent_death_signal == SIGKILL);
    CHECK(degradations_of(c.plan()).empty());
    for (const char* word : {"", "0", "SIGNOT", "65"}) {
        c.config.annotations = {{parent_death, word}};
        CHECK(error_of(c, ErrorKind::invalid_config).find("is not a signal such as SIGKILL") !=
              std::string::npos);
    }
    c.config.annotations = {{parent_death, "15"}};
    c.process().capabilities.emplace().bounding = {"CAP_KILL"};
    REQUIRE(degradations_of(c.plan()).size() == 1);
    CHECK(degradations_of(c.plan())[0].find("set noNewPrivileges") != std::string::npos);
    c.process().no_new_privileges = true;
    CHECK(degradations_of(c.plan()).empty());
}
