#include "coracle/spec/stats.h"

#include "coracle/base/number_list.h"
#include "spec/json_writer_private.h"

#include <array>
#include <limits>

namespace coracle::spec {

namespace {

using json::Writer;

constexpr std::uint64_t no_limit = std::numeric_limits<std::uint64_t>::max();

void write_pressure(Writer& writer, const char* key, const std::optional<PressureStats>& stats) {
    if (!stats || (!stats->some && !stats->full)) {
        return;
    }
    writer.key(key).begin_object();
    for (const auto& [name, line] : {std::pair{"some", &stats->some}, {"full", &stats->full}}) {
        if (*line) {
            writer.key(name).begin_object();
            writer.key("avg10").number((*line)->avg10);
            writer.key("avg60").number((*line)->avg60);
            writer.key("avg300").number((*line)->avg300);
            writer.key("total").unsigned_integer((*line)->total);
            writer.end_object();
        }
    }
    writer.end_object();
}

void write_cpu(Writer& writer, const CpuStats& cpu) {
    writer.key("cpu").begin_object();
    writer.key("usage").begin_object();
    writer.key("total").unsigned_integer(cpu.total);
    writer.key("kernel").unsigned_integer(cpu.system);
    writer.key("user").unsigned_integer(cpu.user);
    writer.end_object();
    writer.key("throttling").begin_object();
    writer.key("periods").unsigned_integer(cpu.periods);
    writer.key("throttledPeriods").unsigned_integer(cpu.throttled_periods);
    writer.key("throttledTime").unsigned_integer(cpu.throttled_time);
    writer.end_object();
    write_pressure(writer, "psi", cpu.pressure);
    writer.end_object();
}

/// "0-1,4" as numbers.
void write_numbers(Writer& writer, const char* key, const std::string& list) {
    constexpr std::uint32_t highest = 65535;
    const std::vector<std::uint64_t> mask =
        parse_number_list(list, highest).value_or(std::vector<std::uint64_t>());
    writer.key(key).begin_array();
    for (std::size_t word = 0; word < mask.size(); ++word) {
        for (unsigned bit = 0; bit < 64; ++bit) {
            if ((mask[word] >> bit & 1U) != 0) {
                writer.unsigned_integer(word * 64 + bit);
            }
        }
    }
    writer.end_array();
}

void write_usage(Writer& writer, const char* key, const UsageStats& usage) {
    writer.key(key).begin_object();
    writer.key("limit").unsigned_integer(usage.limit.value_or(no_limit));
    writer.key("usage").unsigned_integer(usage.usage);
    writer.key("max").unsigned_integer(usage.peak.value_or(0));
    writer.key("failcnt").unsigned_integer(usage.failures);
    writer.end_object();
}

void write_memory(Writer& writer, const MemoryStats& memory) {
    writer.key("memory").begin_object();
    const auto cache = memory.raw.find("file");
    writer.key("cache").unsigned_integer(cache == memory.raw.end() ? 0 : cache->second);
    write_usage(writer, "usage", memory.memory);
    // As with cgroup v1, whose readers it is for: of memory and swap together.
    UsageStats both = memory.swap;
    both.usage += memory.memory.usage;
    both.limit = memory.memory.limit && memory.swap.limit
                     ? std::optional(*memory.memory.limit + *memory.swap.limit)
                     : std::nullopt;
    write_usage(writer, "swap", both);
    writer.key("raw").begin_object();
    for (const auto& [name, value] : memory.raw) {
        writer.key(name).unsigned_integer(value);
    }
    writer.end_object();
    write_pressure(writer, "psi", memory.pressure);
    writer.end_object();
}

void write_counts(Writer& writer, const char* key, const std::vector<BlockStats>& devices,
                  const std::array<std::pair<const char*, const char*>, 3>& counts) {
    writer.key(key).begin_array();
    for (const BlockStats& device : devices) {
        for (const auto& [name, operation] : counts) {
            const auto found = device.counts.find(name);
            if (found == device.counts.end()) {
                continue;
            }
            writer.begin_object();
            writer.key("major").unsigned_integer(device.major);
            writer.key("minor").unsigned_integer(device.minor);
            writer.key("op").string(operation);
            writer.key("value").unsigned_integer(found->second);
            writer.end_object();
        }
    }
    writer.end_array();
}

void write_block_io(Writer& writer, const Stats& stats) {
    writer.key("blkio").begin_object();
    write_counts(writer, "ioServiceBytesRecursive", stats.block_io,
                 {{{"rbytes", "Read"}, {"wbytes", "Write"}, {"dbytes", "Discard"}}});
    write_counts(writer, "ioServicedRecursive", stats.block_io,
                 {{{"rios", "Read"}, {"wios", "Write"}, {"dios", "Discard"}}});
    write_pressure(writer, "psi", stats.io_pressure);
    writer.end_object();
}

void write_interfaces(Writer& writer, const std::vector<InterfaceStats>& interfaces) {
    writer.key("network_interfaces").begin_array();
    for (const InterfaceStats& entry : interfaces) {
        writer.begin_object();
        writer.key("Name").string(entry.name);
        writer.key("RxBytes").unsigned_integer(entry.rx_bytes);
        writer.key("RxPackets").unsigned_integer(entry.rx_packets);
        writer.key("RxErrors").unsigned_integer(entry.rx_errors);
        writer.key("RxDropped").unsigned_integer(entry.rx_dropped);
        writer.key("TxBytes").unsigned_integer(entry.tx_bytes);
        writer.key("TxPackets").unsigned_integer(entry.tx_packets);
        writer.key("TxErrors").unsigned_integer(entry.tx_errors);
        writer.key("TxDropped").unsigned_integer(entry.tx_dropped);
        writer.end_object();
    }
    writer.end_array();
}

void write_data(Writer& writer, const Stats& stats) {
    writer.begin_object();
    if (stats.cpu) {
        write_cpu(writer, *stats.cpu);
    }
    writer.key("cpuset").begin_object();
    write_numbers(writer, "cpus", stats.cpus);
    write_numbers(writer, "mems", stats.mems);
    writer.end_object();
    if (stats.memory) {
        write_memory(writer, *stats.memory);
    }
    writer.key("pids").begin_object();
    writer.key("current").unsigned_integer(stats.pids.value_or(0));
    if (stats.pids_limit) {
        writer.key("limit").unsigned_integer(*stats.pids_limit);
    }
    writer.end_object();
    write_block_io(writer, stats);
    writer.key("hugetlb").begin_object();
    for (const auto& [size, pages] : stats.hugetlb) {
        writer.key(size).begin_object();
        writer.key("usage").unsigned_integer(pages.usage);
        writer.key("failcnt").unsigned_integer(pages.failures);
        writer.end_object();
    }
    writer.end_object();
    writer.key("intel_rdt").begin_object();
    writer.end_object();
    write_interfaces(writer, stats.interfaces);
    writer.end_object();
}

} // namespace

std::string write_stats_event(const std::string& id, const Stats& stats) {
    Writer writer(json::Layout::compact);
    writer.begin_object();
    writer.key("type").string("stats");
    writer.key("id").string(id);
    writer.key("data");
    write_data(writer, stats);
    writer.end_object();
    return writer.finish();
}

std::string write_oom_event(const std::string& id) {
    Writer writer(json::Layout::compact);
    writer.begin_object();
    writer.key("type").string("oom");
    writer.key("id").string(id);
    writer.end_object();
    return writer.finish();
}

} // namespace coracle::spec
