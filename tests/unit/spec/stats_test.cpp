#include "support/catch.h"

#include "coracle/spec/stats.h"

#include <string>

using namespace coracle::spec;

TEST_CASE("stats: pressure, devices and network devices are read from the kernel's text",
          "[stats]") {
    const PressureStats pressure =
        parse_pressure("some avg10=0.12 avg60=1.50 avg300=100.00 total=77\nfull avg10=x avg60=0.00 "
                       "avg300=0.00 total=1\nother\n");
    REQUIRE(pressure.some);
    CHECK(pressure.some->avg300 == "100.00");
    CHECK(pressure.some->total == 77);
    CHECK_FALSE(pressure.full); // what is not a number never gets into JSON

    const std::vector<BlockStats> devices =
        parse_io_stat("8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n259:1\nx rbytes=9\n");
    REQUIRE(devices.size() == 2);
    CHECK(devices[0].counts.at("dios") == 6);
    CHECK(devices[1].major == 259);
    CHECK(devices[1].counts.empty());

    const std::vector<InterfaceStats> interfaces = parse_interfaces(
        "Inter-| Receive\n face |bytes\n    lo: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 "
        "16\n  eth0:1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n short: 1\n");
    REQUIRE(interfaces.size() == 1);
    CHECK(interfaces[0].name == "eth0");
    CHECK(interfaces[0].rx_dropped == 4);
    CHECK(interfaces[0].tx_bytes == 9);
    CHECK(interfaces[0].tx_dropped == 12);
    CHECK(parse_pressure("").some == std::nullopt);
    CHECK(parse_io_stat("").empty());
    CHECK(parse_interfaces("").empty());
}

TEST_CASE("stats: an event is one line of JSON", "[stats]") {
    Stats stats;
    stats.cpu.emplace().user = 1500000000;
    stats.cpus = "0-1,64";
    stats.memory.emplace().memory.limit = 10;
    stats.memory->swap.limit = 5;
    stats.memory->memory.usage = 3;
    stats.memory->raw = {{"file", 2}};
    stats.pids = 4;
    stats.hugetlb["2MB"] = {7, 1};
    stats.block_io = {{8, 0, {{"rbytes", 9}, {"wios", 1}}}};
    const std::string text = write_stats_event("c\"1", stats);
    CHECK(text.back() == '\n');
    CHECK(text.find('\n') == text.size() - 1);
    for (
        const char* part :
        {R"({"type":"stats","id":"c\"1","data":{"cpu":{"usage":{"total":0,"kernel":0,"user":1500000000})",
         R"("cpuset":{"cpus":[0,1,64],"mems":[]})", R"("cache":2)",
         R"("swap":{"limit":15,"usage":3,"max":0,"failcnt":0})", R"("pids":{"current":4})",
         R"("ioServiceBytesRecursive":[{"major":8,"minor":0,"op":"Read","value":9}])",
         R"("hugetlb":{"2MB":{"usage":7,"failcnt":1}})"}) {
        INFO(part);
        CHECK(text.find(part) != std::string::npos);
    }
    CHECK(write_oom_event("x") == "{\"type\":\"oom\",\"id\":\"x\"}\n");
}

TEST_CASE("stats: openmetrics has a family a metric and ends with EOF", "[stats]") {
    Stats stats;
    stats.cpu.emplace().user = 1500000001;
    stats.memory.emplace().events = {{"oom_kill", 2}};
    stats.block_io = {{8, 0, {{"rbytes", 9}}}};
    const std::string text = write_openmetrics("c1", stats);
    for (const char* part :
         {"# TYPE coracle_container_cpu_seconds_total counter\n",
          "coracle_container_cpu_seconds_total{id=\"c1\",mode=\"user\"} 1.500000001\n",
          "coracle_container_memory_events_total{id=\"c1\",event=\"oom_kill\"} 2\n",
          "coracle_container_io_bytes_total{id=\"c1\",device=\"8:0\",op=\"read\"} 9\n"}) {
        INFO(part);
        CHECK(text.find(part) != std::string::npos);
    }
    CHECK(text.ends_with("# EOF\n"));
}
