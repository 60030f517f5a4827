#include "cgroup_private.h"

#include "coracle/base/text.h"

#include <algorithm>
#include <array>

/// linux.resources as values for the files of cgroup v2.
/// Source: Linux Documentation/admin-guide/cgroup-v2.rst; runtime-spec config-linux.md.
namespace coracle::plan {

namespace {

using Missing = CgroupWrite::Missing;

constexpr std::uint64_t default_period = 100000; // microseconds
constexpr const char* base = "/linux/resources/";

std::string limit_text(std::int64_t limit) {
    return limit < 0 ? "max" : std::to_string(limit);
}

void add(std::vector<CgroupWrite>& writes, const char* member, const char* file,
         std::string value) {
    CgroupWrite write;
    write.member = std::string(base) + member;
    write.file = file;
    write.value = std::move(value);
    writes.push_back(std::move(write));
}

/// Managers write 0 for what they leave open.
bool is_set(const std::optional<std::int64_t>& value) {
    return value.value_or(0) != 0;
}

void add_swap(const spec::MemoryResources& memory, std::vector<CgroupWrite>& writes) {
    std::int64_t swap = memory.swap.value_or(0);
    std::int64_t limit = memory.limit.value_or(0);
    if (swap == 0 && limit != -1) {
        return;
    }
    bool unlimited = swap <= 0;
    add(writes, "memory/swap", "memory.swap.max", unlimited ? "max" : std::to_string(swap - limit));
    // Without swap accounting there is no file: where there is no limit, nothing is lost.
    writes.back().missing = unlimited ? Missing::ignored : Missing::degradation;
}

void add_memory(const spec::MemoryResources& memory, std::vector<CgroupWrite>& writes) {
    add_swap(memory, writes); // first, for a limit that is lowered below what is swapped
    if (is_set(memory.limit)) {
        add(writes, "memory/limit", "memory.max", limit_text(*memory.limit));
        if (memory.check_before_update && *memory.limit > 0) {
            writes.back().above = "memory.current";
        }
    }
    if (is_set(memory.reservation)) {
        add(writes, "memory/reservation", "memory.low", limit_text(*memory.reservation));
    }
}

void add_cpu(const spec::CpuResources& cpu, CgroupMethod method, std::vector<CgroupWrite>& writes) {
    if (cpu.idle) {
        add(writes, "cpu/idle", "cpu.idle", std::to_string(*cpu.idle));
    }
    std::uint64_t weight = cpu_weight_of_shares(cpu.shares.value_or(0));
    if (weight != 0 && cpu.idle.value_or(0) != 1) { // an idle group has no weight
        add(writes, "cpu/shares", "cpu.weight", std::to_string(weight));
    }
    if (cpu.burst) { // it must fit the quota, the old and the new one
        add(writes, "cpu/burst", "cpu.max.burst", std::to_string(*cpu.burst));
        writes.back().may_be_early = true;
    }
    if (is_set(cpu.quota) || cpu.period.value_or(0) != 0) {
        std::uint64_t period = cpu.period.value_or(0) != 0 ? *cpu.period : default_period;
        std::int64_t quota = cpu.quota.value_or(0);
        if (quota > 0 && method == CgroupMethod::systemd) {
            quota = static_cast<std::int64_t>(
                quota_of_systemd(static_cast<std::uint64_t>(quota), period) * period / 1000000);
        }
        add(writes, "cpu/quota", "cpu.max",
            (quota > 0 ? std::to_string(quota) : "max") + " " + std::to_string(period));
    }
    if (cpu.burst) {
        add(writes, "cpu/burst", "cpu.max.burst", std::to_string(*cpu.burst));
    }
    if (!cpu.cpus.empty()) {
        add(writes, "cpu/cpus", "cpuset.cpus", cpu.cpus);
    }
    if (!cpu.mems.empty()) {
        add(writes, "cpu/mems", "cpuset.mems", cpu.mems);
    }
}

/// The weight among those that use a disk: BFQ, where it is loaded, has one of its own for the
/// disks that it schedules, and io.weight is for the others.
void add_io_weight(const char* member, const std::string& prefix, std::uint32_t weight,
                   std::vector<CgroupWrite>& writes) {
    add(writes, member, "io.bfq.weight", prefix + std::to_string(weight));
    writes.back().other = prefix.empty() ? CgroupWrite::Other::too : CgroupWrite::Other::instead;
    writes.back().other_file = "io.weight";
    writes.back().other_value = prefix + std::to_string(io_weight(weight));
}

void add_block_io(const spec::BlockIo& io, std::vector<CgroupWrite>& writes) {
    if (io.weight.value_or(0) != 0) {
        add_io_weight("blockIO/weight", "", *io.weight, writes);
    }
    for (const spec::WeightDevice& device : io.weight_devices) {
        if (device.weight.value_or(0) != 0) {
            add_io_weight("blockIO/weightDevice", device_number(device.major, device.minor) + " ",
                          *device.weight, writes);
        }
    }
    struct Kind {
        const char* member;
        const char* key;
        const std::vector<spec::ThrottleDevice>& devices;
    };
    const std::array<Kind, 4> kinds{
        Kind{"blockIO/throttleReadBpsDevice", " rbps=", io.read_bps},
        Kind{"blockIO/throttleWriteBpsDevice", " wbps=", io.write_bps},
        Kind{"blockIO/throttleReadIOPSDevice", " riops=", io.read_iops},
        Kind{"blockIO/throttleWriteIOPSDevice", " wiops=", io.write_iops},
    };
    for (const Kind& kind : kinds) {
        for (const spec::ThrottleDevice& device : kind.devices) {
            add(writes, kind.member, "io.max",
                device_number(device.major, device.minor) + kind.key +
                    (device.rate == 0 ? "max" : std::to_string(device.rate)));
        }
    }
}

void add_hugepages(const std::vector<spec::HugepageLimit>& limits,
                   std::vector<CgroupWrite>& writes) {
    for (const spec::HugepageLimit& limit : limits) {
        std::string file = "hugetlb." + limit.page_size;
        add(writes, "hugepageLimits", (file + ".max").c_str(), std::to_string(limit.limit));
        // Reservations too: else the limit is met at a page fault, as SIGBUS. From Linux 5.7.
        add(writes, "hugepageLimits", (file + ".rsvd.max").c_str(), std::to_string(limit.limit));
        writes.back().missing = Missing::ignored;
    }
}

void add_rdma(const std::map<std::string, spec::RdmaLimit>& limits,
              std::vector<CgroupWrite>& writes) {
    for (const auto& [device, limit] : limits) {
        std::string value;
        if (limit.hca_handles) {
            value += " hca_handle=" + std::to_string(*limit.hca_handles);
        }
        if (limit.hca_objects) {
            value += " hca_object=" + std::to_string(*limit.hca_objects);
        }
        if (!value.empty()) {
            add(writes, "rdma", "rdma.max", device + value);
        }
    }
}

/// A file takes one line a write(2).
void add_unified(const std::map<std::string, std::string>& unified,
                 std::vector<CgroupWrite>& writes) {
    for (const auto& [file, value] : unified) {
        for (std::string_view line : split(value, '\n')) {
            if (!line.empty()) {
                add(writes, ("unified/" + printable(file)).c_str(), file.c_str(),
                    std::string(line));
            }
        }
    }
}

/// The binary logarithm of a number from 1 on, bit by bit. std::log2 would make each verb load the
/// mathematical library of C, which nothing else of coracle needs.
double log2_of(double number) {
    double result = 0;
    for (; number >= 2; number /= 2) {
        result += 1;
    }
    for (double bit = 0.5; bit > 1e-15; bit /= 2) {
        number *= number;
        if (number >= 2) {
            number /= 2;
            result += bit;
        }
    }
    return result;
}

} // namespace

std::uint64_t cpu_weight_of_shares(std::uint64_t shares) {
    constexpr std::uint64_t highest_shares = 262144;
    constexpr std::uint64_t highest_weight = 10000;
    if (shares == 0) {
        return 0;
    }
    if (shares <= 2) {
        return 1;
    }
    if (shares >= highest_shares) {
        return highest_weight;
    }
    // The quadratic curve through (2, 1), (1024, 100) and (262144, 10000) in logarithms.
    double logarithm = log2_of(static_cast<double>(shares));
    double exponent = (logarithm * logarithm + 125 * logarithm) / 612.0 - 7.0 / 34.0;
    constexpr double log2_of_ten = 3.321928094887362;
    constexpr double rounding_error = 1e-9; // 1024 shares are 100, not 101
    std::uint64_t low = 1;
    std::uint64_t high = highest_weight;
    while (low < high) { // the first weight that is not below 10^exponent
        std::uint64_t middle = (low + high) / 2;
        if (log2_of(static_cast<double>(middle) + rounding_error) < exponent * log2_of_ten) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

std::uint64_t quota_of_systemd(std::uint64_t quota, std::uint64_t period) {
    constexpr std::uint64_t second = 1000000;
    constexpr std::uint64_t step = 10000;                      // what systemd rounds to
    constexpr std::uint64_t highest = std::uint64_t{1} << 44U; // the kernel's MAX_BW
    std::uint64_t per_second = std::min(quota, highest) * second / period;
    return (per_second + step - 1) / step * step;
}

std::uint64_t io_weight(std::uint32_t weight) {
    return 1 + (std::uint64_t{weight} - 10) * 9999 / 990;
}

std::string device_number(std::int64_t major, std::int64_t minor) {
    return std::to_string(major) + ":" + std::to_string(minor);
}

std::vector<CgroupWrite> make_cgroup_writes(const spec::Resources& resources, CgroupMethod method) {
    std::vector<CgroupWrite> writes;
    if (resources.memory) {
        add_memory(*resources.memory, writes);
    }
    if (resources.cpu) {
        add_cpu(*resources.cpu, method, writes);
    }
    if (resources.pids_limit) {
        add(writes, "pids/limit", "pids.max", limit_text(*resources.pids_limit));
        if (*resources.pids_limit < 0) { // without the controller there is no limit either
            writes.back().missing = Missing::ignored;
        }
    }
    if (resources.block_io) {
        add_block_io(*resources.block_io, writes);
    }
    add_hugepages(resources.hugepage_limits, writes);
    add_rdma(resources.rdma, writes);
    add_unified(resources.unified, writes); // last: it has the last word
    return writes;
}

std::vector<std::string> controllers_of(const std::vector<CgroupWrite>& writes) {
    std::vector<std::string> names;
    for (const CgroupWrite& write : writes) {
        std::string name = write.file.substr(0, write.file.find('.'));
        if (name != "cgroup" && std::find(names.begin(), names.end(), name) == names.end()) {
            names.push_back(std::move(name));
        }
    }
    return names;
}

} // namespace coracle::plan
