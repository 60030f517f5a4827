#include "stats_private.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/sys/directory.h"
#include "coracle/sys/file.h"

#include <fcntl.h>

namespace coracle::container {

namespace {

using cgroup::Directory;
using Keys = std::map<std::string, std::uint64_t>;

std::uint64_t count_of(const Keys& keys, const char* name) {
    auto found = keys.find(name);
    return found == keys.end() ? 0 : found->second;
}

std::string first_line(const std::optional<std::string>& text) {
    return text ? text->substr(0, text->find('\n')) : "";
}

std::optional<spec::PressureStats> find_pressure(const Directory& cgroup, const char* file) {
    try { // EOPNOTSUPP: switched off at boot
        std::optional<std::string> text = cgroup.find_text(file);
        return text ? std::optional(spec::parse_pressure(*text)) : std::nullopt;
    } catch (const Error&) { // catch: less is known
        return std::nullopt;
    }
}

std::optional<spec::CpuStats> find_cpu(const Directory& cgroup) {
    Keys keys = cgroup.read_keys("cpu.stat");
    if (keys.empty()) {
        return std::nullopt;
    }
    constexpr std::uint64_t nanoseconds = 1000;
    spec::CpuStats cpu;
    cpu.total = count_of(keys, "usage_usec") * nanoseconds;
    cpu.user = count_of(keys, "user_usec") * nanoseconds;
    cpu.system = count_of(keys, "system_usec") * nanoseconds;
    cpu.periods = count_of(keys, "nr_periods");
    cpu.throttled_periods = count_of(keys, "nr_throttled");
    cpu.throttled_time = count_of(keys, "throttled_usec") * nanoseconds;
    cpu.pressure = find_pressure(cgroup, "cpu.pressure");
    return cpu;
}

std::optional<spec::MemoryStats> find_memory(const Directory& cgroup) {
    std::optional<std::uint64_t> usage = cgroup.find_number("memory.current");
    if (!usage) {
        return std::nullopt;
    }
    spec::MemoryStats memory;
    memory.raw = cgroup.read_keys("memory.stat");
    memory.events = cgroup.read_keys("memory.events");
    memory.memory = {*usage, cgroup.find_number("memory.peak"), cgroup.find_number("memory.max"),
                     count_of(memory.events, "max")};
    memory.swap = {cgroup.find_number("memory.swap.current").value_or(0),
                   cgroup.find_number("memory.swap.peak"), cgroup.find_number("memory.swap.max"),
                   count_of(cgroup.read_keys("memory.swap.events"), "max")};
    memory.pressure = find_pressure(cgroup, "memory.pressure");
    return memory;
}

std::map<std::string, spec::HugepageStats> find_hugepages(const Directory& cgroup) {
    constexpr std::string_view suffix = ".current";
    std::map<std::string, spec::HugepageStats> sizes;
    for (const std::string& file : sys::list_directory(cgroup.fd())) {
        bool counts = file.starts_with("hugetlb.") && file.ends_with(suffix) &&
                      file.find(".rsvd.") == std::string::npos;
        if (counts) {
            std::string size = file.substr(8, file.size() - 8 - suffix.size());
            sizes[size] = {cgroup.find_number(file).value_or(0),
                           count_of(cgroup.read_keys("hugetlb." + size + ".events"), "max")};
        }
    }
    return sizes;
}

std::vector<spec::InterfaceStats> find_interfaces(int proc_fd, pid_t init) {
    try {
        std::string process = std::to_string(init);
        if (sys::read_link(proc_fd, process + "/ns/net") ==
            sys::read_link(proc_fd, "self/ns/net")) {
            return {};
        }
        constexpr std::size_t limit = std::size_t{16} << 20;
        sys::Fd file = sys::open_at(proc_fd, process + "/net/dev", O_RDONLY);
        return spec::parse_interfaces(sys::read_all(file.get(), limit, "/proc/PID/net/dev"));
    } catch (const Error&) { // catch: it has ended, or its namespaces are not to be seen
        return {};
    }
}

} // namespace

spec::Stats read_stats(const Directory& cgroup, int proc_fd, pid_t init) {
    spec::Stats stats;
    stats.cpu = find_cpu(cgroup);
    stats.cpus = first_line(cgroup.find_text("cpuset.cpus.effective"));
    stats.mems = first_line(cgroup.find_text("cpuset.mems.effective"));
    stats.memory = find_memory(cgroup);
    stats.pids = cgroup.find_number("pids.current");
    stats.pids_limit = cgroup.find_number("pids.max");
    stats.block_io = spec::parse_io_stat(cgroup.find_text("io.stat").value_or(""));
    stats.io_pressure = find_pressure(cgroup, "io.pressure");
    stats.hugetlb = find_hugepages(cgroup);
    stats.interfaces = find_interfaces(proc_fd, init);
    return stats;
}

} // namespace coracle::container
