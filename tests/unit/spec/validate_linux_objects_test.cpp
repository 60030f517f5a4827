#include "spec/spec_support.h"

#include "coracle/spec/validate.h"

using namespace coracle;
using namespace spec_test;
using spec::Config;
using spec::Linux;

namespace {

struct Row {
    const char* text; ///< part of the error; empty: the config is good
    std::function<void(Linux&)> change;
};

void check_rows(const std::vector<Row>& rows) {
    for (const Row& row : rows) {
        CAPTURE(row.text);
        Config config;
        config.oci_version = "1.0.0";
        config.root = spec::Root{"rootfs", false};
        config.linux_.emplace();
        row.change(*config.linux_);
        if (*row.text == '\0') {
            CHECK_NOTHROW(spec::validate(config));
            continue;
        }
        const Error error = error_of([&] { spec::validate(config); });
        CHECK(error.kind() == ErrorKind::invalid_config);
        CHECK(holds(error.text(), std::string("config.json: /linux/") + row.text));
    }
}

} // namespace

TEST_CASE("validate: the memory policy", "[validate]") {
    check_rows({
        {"memoryPolicy/mode: \"X\" is not known",
         [](Linux& l) {
             l.memory_policy = {"X", "", {}};
         }},
        {"memoryPolicy/flags/0: \"X\" is not known",
         [](Linux& l) {
             l.memory_policy = {"MPOL_BIND", "0", {"X"}};
         }},
        {"memoryPolicy/flags: MPOL_F_STATIC_NODES and MPOL_F_RELATIVE_NODES exclude each other",
         [](Linux& l) {
             l.memory_policy = {"MPOL_BIND", "0", {"MPOL_F_RELATIVE_NODES", "MPOL_F_STATIC_NODES"}};
         }},
        {"memoryPolicy/nodes: \"x\" is not a list of memory nodes",
         [](Linux& l) {
             l.memory_policy = {"MPOL_BIND", "x", {}};
         }},
        {"memoryPolicy/nodes: \"1024\" is not a list",
         [](Linux& l) {
             l.memory_policy = {"MPOL_BIND", "1024", {}};
         }},
        {"memoryPolicy/nodes: must be empty with MPOL_LOCAL",
         [](Linux& l) {
             l.memory_policy = {"MPOL_LOCAL", "0", {}};
         }},
        {"memoryPolicy/nodes: is empty, but MPOL_INTERLEAVE needs a node",
         [](Linux& l) {
             l.memory_policy = {"MPOL_INTERLEAVE", "", {}};
         }},
        {"",
         [](Linux& l) {
             l.memory_policy = {"MPOL_PREFERRED", "", {}};
         }},
        {"",
         [](Linux& l) {
             l.memory_policy = {"MPOL_WEIGHTED_INTERLEAVE", "0-3,1023", {"MPOL_F_STATIC_NODES"}};
         }},
    });
}

TEST_CASE("validate: Intel RDT", "[validate]") {
    const auto closed = [](const char* name) {
        return [name](Linux& l) { l.intel_rdt.emplace().clos_id = name; };
    };
    check_rows({
        {"", closed("")},
        {"", closed("/")},
        {"", closed("gold")},
        {"intelRdt/closID: \"..\" is not the name of one directory", closed("..")},
        {"intelRdt/closID: \"a/b\" is not the name", closed("a/b")},
        {"intelRdt/closID: \"info\" is not the name", closed("info")},
        {"intelRdt/closID: \"mon_groups\" is not the name", closed("mon_groups")},
        {"intelRdt/closID: contains a newline", closed("a\nb")},
        {"intelRdt/l3CacheSchema: contains a newline",
         [](Linux& l) { l.intel_rdt.emplace().l3_cache_schema = "L3:0=f\nMB:0=1"; }},
        {"intelRdt/memBwSchema: \"L3:0=f\" does not begin with",
         [](Linux& l) { l.intel_rdt.emplace().mem_bw_schema = "L3:0=f"; }},
        {"intelRdt/memBwSchema: contains a newline",
         [](Linux& l) { l.intel_rdt.emplace().mem_bw_schema = "MB:0=1\n"; }},
        {"intelRdt/schemata/1: contains a newline",
         [](Linux& l) {
             l.intel_rdt.emplace().schemata = {"MB:0=1", "\n"};
         }},
    });
}

TEST_CASE("validate: network devices", "[validate]") {
    const auto named = [](const char* host, const char* inside) {
        return [host, inside](Linux& l) {
            l.namespaces = {{"network", ""}};
            l.net_devices[host].name = inside;
        };
    };
    check_rows({
        {"", named("eth0", "")},
        {"", named("eth0", "eth%d")},
        {"", named("a23456789012345", "b23456789012345")},
        {"netDevices: \"a234567890123456\" is not the name", named("a234567890123456", "x")},
        {"netDevices: \"\" is not the name", named("", "x")},
        {"netDevices: \"..\" is not the name", named("..", "x")},
        {"netDevices: \"a/b\" is not the name", named("a/b", "x")},
        {"netDevices: \"eth%d\" is not the name", named("eth%d", "x")},
        {"netDevices/eth0/name: \"a b\" is not a name", named("eth0", "a b")},
        {"netDevices/eth0/name: \"a:b\" is not a name", named("eth0", "a:b")},
        {"netDevices/eth0/name: \"%s\" is not a name", named("eth0", "%s")},
        {"netDevices/eth0/name: \"%d%d\" is not a name", named("eth0", "%d%d")},
        {"netDevices: needs a network namespace",
         [](Linux& l) {
             l.namespaces.clear();
             l.net_devices["eth0"];
         }},
        {"netDevices/eth1/name: \"x\" is given twice",
         [](Linux& l) {
             l.namespaces = {{"network", ""}};
             l.net_devices["eth0"].name = "x";
             l.net_devices["eth1"].name = "x";
         }},
        {"",
         [](Linux& l) {
             l.namespaces = {{"network", ""}};
             l.net_devices["eth0"].name = "x%d";
             l.net_devices["eth1"].name = "x%d";
         }},
    });
}
