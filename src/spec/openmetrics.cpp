#include "coracle/spec/stats.h"

#include "coracle/base/text.h"

namespace coracle::spec {

namespace {

/// A counter of nanoseconds as seconds.
std::string seconds(std::uint64_t nanoseconds) {
    constexpr std::uint64_t billion = 1000000000;
    std::string fraction = std::to_string(nanoseconds % billion);
    return std::to_string(nanoseconds / billion) + "." + std::string(9 - fraction.size(), '0') +
           fraction;
}

class Metrics {
  public:
    explicit Metrics(const std::string& id) : label_("id=\"" + escape_json(id) + "\"") {}

    /// The family of the samples that follow.
    void family(const char* name, const char* type, const char* help) {
        family_ = std::string("coracle_container_") + name;
        suffix_ = std::string(type) == "counter" ? "_total" : "";
        text_ += "# HELP " + family_ + suffix_ + " " + help + "\n# TYPE " + family_ + suffix_ +
                 " " + type + "\n";
    }
    void sample(const std::string& value, const std::string& labels = {}) {
        text_ += family_ + suffix_ + "{" + label_ + (labels.empty() ? "" : "," + labels) + "} " +
                 value + "\n";
    }
    void sample(std::uint64_t value, const std::string& labels = {}) {
        sample(std::to_string(value), labels);
    }
    [[nodiscard]] std::string finish() { return text_ + "# EOF\n"; }

  private:
    std::string label_;
    std::string family_;
    std::string suffix_;
    std::string text_;
};

void add_cpu(const CpuStats& cpu, Metrics& metrics) {
    metrics.family("cpu_seconds", "counter", "CPU time used.");
    metrics.sample(seconds(cpu.user), "mode=\"user\"");
    metrics.sample(seconds(cpu.system), "mode=\"system\"");
    metrics.family("cpu_throttled_periods", "counter", "Periods in which the quota was used up.");
    metrics.sample(cpu.throttled_periods);
    metrics.family("cpu_throttled_seconds", "counter", "Time spent waiting for the next period.");
    metrics.sample(seconds(cpu.throttled_time));
}

void add_memory(const MemoryStats& memory, Metrics& metrics) {
    metrics.family("memory_usage_bytes", "gauge", "Memory in use.");
    metrics.sample(memory.memory.usage);
    if (memory.memory.peak) {
        metrics.family("memory_peak_bytes", "gauge", "The most memory that was in use.");
        metrics.sample(*memory.memory.peak);
    }
    if (memory.memory.limit) {
        metrics.family("memory_limit_bytes", "gauge", "The limit of memory.");
        metrics.sample(*memory.memory.limit);
    }
    metrics.family("swap_usage_bytes", "gauge", "Swap in use.");
    metrics.sample(memory.swap.usage);
    metrics.family("memory_events", "counter", "Events of the memory controller.");
    for (const auto& [event, count] : memory.events) {
        metrics.sample(count, "event=\"" + event + "\"");
    }
}

/// The count that the kernel calls `key`, of each device that has it.
void add_operation(const std::vector<BlockStats>& devices, const char* key, const char* operation,
                   Metrics& metrics) {
    for (const BlockStats& device : devices) {
        const auto found = device.counts.find(key);
        if (found != device.counts.end()) {
            metrics.sample(found->second, "device=\"" + std::to_string(device.major) + ":" +
                                              std::to_string(device.minor) + "\",op=\"" +
                                              operation + "\"");
        }
    }
}

void add_block_io(const std::vector<BlockStats>& devices, Metrics& metrics) {
    metrics.family("io_bytes", "counter", "Bytes read and written.");
    add_operation(devices, "rbytes", "read", metrics);
    add_operation(devices, "wbytes", "write", metrics);
    metrics.family("io_operations", "counter", "Reads and writes.");
    add_operation(devices, "rios", "read", metrics);
    add_operation(devices, "wios", "write", metrics);
}

void add_interfaces(const std::vector<InterfaceStats>& interfaces, Metrics& metrics) {
    metrics.family("network_receive_bytes", "counter", "Bytes received.");
    for (const InterfaceStats& entry : interfaces) {
        metrics.sample(entry.rx_bytes, "interface=\"" + escape_json(entry.name) + "\"");
    }
    metrics.family("network_transmit_bytes", "counter", "Bytes sent.");
    for (const InterfaceStats& entry : interfaces) {
        metrics.sample(entry.tx_bytes, "interface=\"" + escape_json(entry.name) + "\"");
    }
}

} // namespace

std::string write_openmetrics(const std::string& id, const Stats& stats) {
    Metrics metrics(id);
    if (stats.cpu) {
        add_cpu(*stats.cpu, metrics);
    }
    if (stats.memory) {
        add_memory(*stats.memory, metrics);
    }
    if (stats.pids) {
        metrics.family("processes", "gauge", "Processes and threads.");
        metrics.sample(*stats.pids);
    }
    if (stats.pids_limit) {
        metrics.family("processes_limit", "gauge", "The limit of processes and threads.");
        metrics.sample(*stats.pids_limit);
    }
    if (!stats.block_io.empty()) {
        add_block_io(stats.block_io, metrics);
    }
    if (!stats.interfaces.empty()) {
        add_interfaces(stats.interfaces, metrics);
    }
    return metrics.finish();
}

} // namespace coracle::spec
