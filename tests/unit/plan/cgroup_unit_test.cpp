#include "support/catch.h"

#include "plan/cgroup_private.h"
#include "plan_support.h"

#include <algorithm>

using namespace coracle;
using namespace coracle::test;
using plan::UnitProperty;

TEST_CASE("cgroup: limits as properties of a unit", "[plan]") {
    using Bytes = std::vector<std::uint8_t>;
    constexpr std::uint64_t infinity = UINT64_MAX;
    const std::vector<UnitProperty> all = plan::make_unit_limits(resources_of(R"({
        "memory":{"limit":1000,"reservation":500,"swap":1500},
        "cpu":{"shares":1024,"quota":50001,"period":100000,"cpus":"0,9","mems":"1"},
        "pids":{"limit":7}})"));
    CHECK(all == std::vector<UnitProperty>{{"MemoryMax", std::uint64_t{1000}},
                                           {"MemoryLow", std::uint64_t{500}},
                                           {"MemorySwapMax", std::uint64_t{500}},
                                           {"CPUWeight", std::uint64_t{100}},
                                           {"CPUQuotaPeriodUSec", std::uint64_t{100000}},
                                           {"CPUQuotaPerSecUSec", std::uint64_t{510000}},
                                           {"AllowedCPUs", Bytes{1, 2}},
                                           {"AllowedMemoryNodes", Bytes{2}},
                                           {"TasksMax", std::uint64_t{7}}});
    CHECK(plan::make_unit_limits(resources_of(R"({"blockIO":{"weightDevice":[
              {"major":8,"minor":0,"weight":505},{"major":8,"minor":1}]}})")) ==
          std::vector<UnitProperty>{{"IODeviceWeight", plan::DeviceValue{"/dev/block/8:0", 5000}}});
    CHECK(plan::make_unit_limits(resources_of(R"({"memory":{"limit":-1},"cpu":{"quota":-1}})")) ==
          std::vector<UnitProperty>{{"MemoryMax", infinity},
                                    {"MemorySwapMax", infinity},
                                    {"CPUQuotaPerSecUSec", infinity}});
    // What unified says is said to systemd too, and not what it overrides.
    CHECK(plan::make_unit_limits(resources_of(
              R"({"memory":{"limit":1},"unified":{"memory.max":"2","pids.max":"max"}})")) ==
          std::vector<UnitProperty>{{"MemoryMax", std::uint64_t{2}}, {"TasksMax", infinity}});
}

TEST_CASE("cgroup: annotations set properties of the list only, and no limit twice", "[plan]") {
    const auto properties = [](const char* name, const char* value) {
        return plan::make_unit_properties({{std::string("org.systemd.property.") + name, value}},
                                          {{"MemoryMax", std::uint64_t{1}}});
    };
    CHECK(properties("TimeoutStopUSec", "uint64 123") ==
          std::vector<UnitProperty>{{"TimeoutStopUSec", std::uint64_t{123}}});
    CHECK(properties("TimeoutStopSec", "2.5") ==
          std::vector<UnitProperty>{{"TimeoutStopUSec", std::uint64_t{2500000}}});
    CHECK(properties("CollectMode", "'inactive'") ==
          std::vector<UnitProperty>{{"CollectMode", std::string("inactive")}});
    CHECK(properties("IOAccounting", "true") == std::vector<UnitProperty>{{"IOAccounting", true}});
    for (const char* name : {"ExecStopPost", "User", "Delegate", "Slice", "PIDs", "BindsTo", "",
                             "DeviceAllow", "BPFProgram", "KillMode"}) {
        INFO(name);
        CHECK(error_of([&] { (void)properties(name, "'x'"); }).find("not one of the properties") !=
              std::string::npos);
    }
    CHECK(error_of([&] {
              (void)properties("MemoryMax", "uint64 18446744073709551615");
          }).find("sets this limit already") != std::string::npos);
    for (const char* value : {"", "x", "'x", "uint64", "-1", "[1]", "'a\nb'"}) {
        INFO(value);
        CHECK(error_of([&] { (void)properties("MemoryHigh", value); }).find("of its type") !=
              std::string::npos);
    }
}

TEST_CASE("cgroup: the forms of a scope's name", "[plan]") {
    const auto name = [](const char* path) {
        const plan::ScopeName made = plan::make_scope_name(path, "c+1");
        return made.slice + "|" + made.unit;
    };
    CHECK(name("") == "|coracle-c\\x2b1.scope");
    CHECK(name("user.slice:libpod:abc") == "user.slice|libpod-abc.scope");
    CHECK(name("-:p:n") == "-.slice|p-n.scope");
    CHECK(name("a-b.slice::n") == "a-b.slice|n.scope");
    for (const char* path : {"/a/b", "a:b", "a:b:c:d", "user.slice:p:"}) {
        INFO(path);
        CHECK(error_of([&] { (void)name(path); }).find("expected cgroupsPath to be of format") !=
              std::string::npos);
    }
    for (const char* path : {"user:p:n", "a/b.slice:p:n", "-a.slice:p:n", "a--b.slice:p:n",
                             "a-.slice:p:n", "..slice:p:n"}) {
        INFO(path);
        CHECK(error_of([&] { (void)name(path); }).find("is not the name of a slice") !=
              std::string::npos);
    }
    CHECK(error_of([&] { (void)name("a.slice:p:b.slice"); }).find("names a slice") !=
          std::string::npos);
    CHECK(error_of([&] {
              (void)plan::make_scope_name("", std::string(255, 'a'));
          }).find("255 bytes") != std::string::npos);
}
