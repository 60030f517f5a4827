#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

/// What `events` prints of a container's use of the host.
namespace coracle::spec {

/// One line of a pressure file. Source: Linux Documentation/accounting/psi.rst.
struct Pressure {
    std::string avg10; ///< per cent, as the kernel writes it: "0.12"
    std::string avg60;
    std::string avg300;
    std::uint64_t total = 0; ///< microseconds
};

struct PressureStats {
    std::optional<Pressure> some;
    std::optional<Pressure> full;
};

struct CpuStats {
    std::uint64_t total = 0; ///< nanoseconds, as the two below
    std::uint64_t user = 0;
    std::uint64_t system = 0;
    std::uint64_t periods = 0;
    std::uint64_t throttled_periods = 0;
    std::uint64_t throttled_time = 0; ///< nanoseconds
    std::optional<PressureStats> pressure;
};

/// Of memory or swap, in bytes.
struct UsageStats {
    std::uint64_t usage = 0;
    std::optional<std::uint64_t> peak;
    std::optional<std::uint64_t> limit; ///< nothing: none
    std::uint64_t failures = 0;         ///< how often the limit was met
};

struct MemoryStats {
    UsageStats memory;
    UsageStats swap;                             ///< of swap alone
    std::map<std::string, std::uint64_t> raw;    ///< memory.stat
    std::map<std::string, std::uint64_t> events; ///< memory.events
    std::optional<PressureStats> pressure;
};

struct BlockStats {
    std::uint64_t major = 0;
    std::uint64_t minor = 0;
    std::map<std::string, std::uint64_t> counts; ///< rbytes, wbytes, rios, wios, dbytes, dios
};

struct HugepageStats {
    std::uint64_t usage = 0;
    std::uint64_t failures = 0;
};

struct InterfaceStats {
    std::string name;
    std::uint64_t rx_bytes = 0;
    std::uint64_t rx_packets = 0;
    std::uint64_t rx_errors = 0;
    std::uint64_t rx_dropped = 0;
    std::uint64_t tx_bytes = 0;
    std::uint64_t tx_packets = 0;
    std::uint64_t tx_errors = 0;
    std::uint64_t tx_dropped = 0;
};

/// What a controller does not count, since it is not there, is left out.
struct Stats {
    std::optional<CpuStats> cpu;
    std::string cpus; ///< cpuset.cpus.effective
    std::string mems;
    std::optional<MemoryStats> memory;
    std::optional<std::uint64_t> pids;
    std::optional<std::uint64_t> pids_limit;
    std::vector<BlockStats> block_io;
    std::optional<PressureStats> io_pressure;
    std::map<std::string, HugepageStats> hugetlb; ///< by size: "2MB"
    std::vector<InterfaceStats> interfaces;
};

/// {"type":"stats","id":ID,"data":{...}}, one line. Keys as runc has them.
[[nodiscard]] std::string write_stats_event(const std::string& id, const Stats& stats);
/// {"type":"oom","id":ID}, one line.
[[nodiscard]] std::string write_oom_event(const std::string& id);
/// The text format that Prometheus reads, a sample a line, each with the label `id`.
/// Source: OpenMetrics 1.0.
[[nodiscard]] std::string write_openmetrics(const std::string& id, const Stats& stats);

/// The lines of a pressure file. Pure; what is not of the format is left out.
[[nodiscard]] PressureStats parse_pressure(const std::string& text);
/// The lines of io.stat. Pure.
[[nodiscard]] std::vector<BlockStats> parse_io_stat(const std::string& text);
/// The lines of /proc/PID/net/dev, without the loopback. Pure. Source: proc_pid_net(5).
[[nodiscard]] std::vector<InterfaceStats> parse_interfaces(const std::string& text);

} // namespace coracle::spec
