#include "coracle/base/number_list.h"
#include "coracle/base/text.h"
#include "coracle/spec/validate.h"
#include "spec/validate_private.h"

#include <algorithm>

namespace coracle::spec {

namespace {

constexpr const char* base = "/linux/resources";

/// Source: runtime-spec config-linux.md#allowed-device-list.
void validate_device_rules(const std::vector<DeviceCgroupRule>& rules) {
    for (std::size_t i = 0; i < rules.size(); ++i) {
        const DeviceCgroupRule& rule = rules[i];
        const std::string pointer = element("/linux/resources/devices", i);
        if (!rule.type.empty()) {
            require_word(pointer + "/type", rule.type, {"a", "c", "b", "u", "p"});
        }
        if (rule.access.find_first_not_of("rwm") != std::string::npos) {
            refuse(pointer + "/access", quote(rule.access) + " has letters other than r, w and m");
        }
        if (rule.major && *rule.major < -1) {
            refuse(pointer + "/major", "must be -1 (any) or a device number");
        }
        if (rule.minor && *rule.minor < -1) {
            refuse(pointer + "/minor", "must be -1 (any) or a device number");
        }
    }
}

void require_limit(const std::string& pointer, const std::optional<std::int64_t>& limit) {
    if (limit && *limit < -1) {
        refuse(pointer, "must be -1 (no limit) or a number of bytes");
    }
}

/// Source: runtime-spec config-linux.md#memory.
void validate_memory(const MemoryResources& memory) {
    const std::string pointer = std::string(base) + "/memory";
    require_limit(pointer + "/limit", memory.limit);
    require_limit(pointer + "/reservation", memory.reservation);
    require_limit(pointer + "/swap", memory.swap);
    const std::int64_t limit = memory.limit.value_or(0);
    const std::int64_t swap = memory.swap.value_or(0);
    if (swap <= 0) {
        return;
    }
    if (limit <= 0) {
        refuse(pointer + "/swap", "unable to set swap limit without memory limit: it is of memory "
                                  "and swap together; give /linux/resources/memory/limit");
    }
    if (swap < limit) {
        refuse(pointer + "/swap",
               std::to_string(swap) +
                   " is of memory and swap together, and below the memory limit " +
                   std::to_string(limit));
    }
}

void require_number_list(const std::string& pointer, const std::string& text) {
    constexpr std::uint32_t highest = 65535;
    if (!parse_number_list(text, highest)) {
        refuse(pointer, quote(text) + " is not a list such as \"0-3,7\"");
    }
}

/// Source: runtime-spec config-linux.md#cpu.
void validate_cpu(const CpuResources& cpu) {
    const std::string pointer = std::string(base) + "/cpu";
    if (cpu.idle && *cpu.idle != 0 && *cpu.idle != 1) {
        refuse(pointer + "/idle", "must be 0 or 1");
    }
    require_number_list(pointer + "/cpus", cpu.cpus);
    require_number_list(pointer + "/mems", cpu.mems);
}

void require_device(const std::string& pointer, std::int64_t major, std::int64_t minor) {
    constexpr std::int64_t highest_major = 4095; // 12 and 20 bits: include/linux/kdev_t.h
    constexpr std::int64_t highest_minor = 1048575;
    if (major < 0 || major > highest_major || minor < 0 || minor > highest_minor) {
        refuse(pointer, "has no number of a device in major and minor");
    }
}

void require_weight(const std::string& pointer, const std::optional<std::uint32_t>& weight) {
    constexpr std::uint32_t lowest = 10;
    constexpr std::uint32_t highest = 1000;
    if (weight && *weight != 0 && (*weight < lowest || *weight > highest)) {
        refuse(pointer, "must be from 10 to 1000");
    }
}

/// Source: runtime-spec config-linux.md#block-io.
void validate_block_io(const BlockIo& io) {
    const std::string pointer = std::string(base) + "/blockIO";
    require_weight(pointer + "/weight", io.weight);
    for (std::size_t i = 0; i < io.weight_devices.size(); ++i) {
        const std::string at = element(pointer + "/weightDevice", i);
        require_weight(at + "/weight", io.weight_devices[i].weight);
        require_device(at, io.weight_devices[i].major, io.weight_devices[i].minor);
    }
    const auto check = [&](const char* key, const std::vector<ThrottleDevice>& devices) {
        for (std::size_t i = 0; i < devices.size(); ++i) {
            require_device(element(pointer + key, i), devices[i].major, devices[i].minor);
        }
    };
    check("/throttleReadBpsDevice", io.read_bps);
    check("/throttleWriteBpsDevice", io.write_bps);
    check("/throttleReadIOPSDevice", io.read_iops);
    check("/throttleWriteIOPSDevice", io.write_iops);
}

/// "2MB", "1GB", "64KB": it becomes a part of a file's name.
bool is_page_size(std::string_view text) noexcept {
    const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
    const std::string_view unit = text.substr(digits);
    return digits > 0 && digits < 12 && text.front() != '0' &&
           (unit == "KB" || unit == "MB" || unit == "GB");
}

/// Source: runtime-spec config-linux.md#huge-page-limits.
void validate_hugepages(const std::vector<HugepageLimit>& limits) {
    for (std::size_t i = 0; i < limits.size(); ++i) {
        if (!is_page_size(limits[i].page_size)) {
            refuse(element(std::string(base) + "/hugepageLimits", i) + "/pageSize",
                   quote(limits[i].page_size) + " is not a size such as \"2MB\" or \"1GB\"");
        }
    }
}

void validate_rdma(const std::map<std::string, RdmaLimit>& limits) {
    for (const auto& [device, limit] : limits) {
        if (device.empty() || device.find_first_of(" \t\n") != std::string::npos) {
            refuse(std::string(base) + "/rdma", quote(device) + " is not the name of a device");
        }
    }
}

/// The files of a controller, and those of the core that only limit: not cgroup.procs, cgroup.kill
/// and their like, which act. Source: runtime-spec config-linux.md#unified.
void validate_unified(const std::map<std::string, std::string>& unified) {
    for (const auto& [file, value] : unified) {
        const std::string pointer = std::string(base) + "/unified";
        if (file.find('/') != std::string::npos || file.find('.') == std::string::npos ||
            file.front() == '.' || file.find('\n') != std::string::npos) {
            refuse(pointer, quote(file) + " is not a file of a cgroup such as \"memory.high\"");
        }
        const bool limit_of_core = file == "cgroup.max.depth" || file == "cgroup.max.descendants" ||
                                   file == "cgroup.pressure";
        if (file.starts_with("cgroup.") && !limit_of_core) {
            refuse(pointer, quote(file) + " is no limit but an order to the kernel");
        }
    }
}

} // namespace

void validate_resources(const Resources& resources) {
    validate_device_rules(resources.devices);
    if (resources.memory) {
        validate_memory(*resources.memory);
    }
    if (resources.cpu) {
        validate_cpu(*resources.cpu);
    }
    if (resources.pids_limit && *resources.pids_limit < -1) {
        refuse(std::string(base) + "/pids/limit", "must be -1 (no limit) or a number of processes");
    }
    if (resources.block_io) {
        validate_block_io(*resources.block_io);
    }
    validate_hugepages(resources.hugepage_limits);
    validate_rdma(resources.rdma);
    validate_unified(resources.unified);
}

} // namespace coracle::spec
