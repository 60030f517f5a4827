#include "coracle/spec/config_json.h"
#include "spec/config_json_private.h"

/// linux.resources: runtime-spec config-linux.md#control-groups.
namespace coracle::spec {

namespace {

using json::Kind;
using json::View;

DeviceCgroupRule parse_device_rule(const View& view) {
    DeviceCgroupRule rule;
    view.for_each_member([&](std::string_view key, const View& value) {
        if (key == "allow") {
            rule.allow = value.as_bool();
        } else if (key == "type") {
            rule.type = value.as_string();
        } else if (key == "major") {
            rule.major = value.as_int64();
        } else if (key == "minor") {
            rule.minor = value.as_int64();
        } else if (key == "access") {
            rule.access = value.as_string();
        }
    });
    view.require_member("allow");
    return rule;
}

MemoryResources parse_memory(const View& view) {
    MemoryResources memory;
    view.for_each_member([&](std::string_view key, const View& value) {
        if (key == "limit") {
            memory.limit = value.as_int64();
        } else if (key == "reservation") {
            memory.reservation = value.as_int64();
        } else if (key == "swap") {
            memory.swap = value.as_int64();
        } else if (key == "kernel") {
            memory.kernel = value.as_int64();
        } else if (key == "kernelTCP") {
            memory.kernel_tcp = value.as_int64();
        } else if (key == "swappiness") {
            memory.swappiness = value.as_uint64();
        } else if (key == "disableOOMKiller") {
            memory.disable_oom_killer = value.as_bool();
        } else if (key == "checkBeforeUpdate") {
            memory.check_before_update = value.as_bool();
        } else if (key == "useHierarchy") {
            (void)value.as_bool(); // cgroup v2 knows no other way
        }
    });
    return memory;
}

CpuResources parse_cpu(const View& view) {
    CpuResources cpu;
    view.for_each_member([&](std::string_view key, const View& value) {
        if (key == "shares") {
            cpu.shares = value.as_uint64();
        } else if (key == "quota") {
            cpu.quota = value.as_int64();
        } else if (key == "burst") {
            cpu.burst = value.as_uint64();
        } else if (key == "period") {
            cpu.period = value.as_uint64();
        } else if (key == "realtimeRuntime") {
            cpu.realtime_runtime = value.as_int64();
        } else if (key == "realtimePeriod") {
            cpu.realtime_period = value.as_uint64();
        } else if (key == "cpus") {
            cpu.cpus = value.as_string();
        } else if (key == "mems") {
            cpu.mems = value.as_string();
        } else if (key == "idle") {
            cpu.idle = value.as_int64();
        }
    });
    return cpu;
}

std::optional<std::int64_t> parse_pids_limit(const View& view) {
    std::optional<std::int64_t> limit;
    view.for_each_member([&](std::string_view key, const View& value) {
        if (key == "limit") {
            limit = value.as_int64();
        }
    });
    return limit;
}

WeightDevice parse_weight_device(const View& view) {
    WeightDevice device;
    view.for_each_member([&](std::string_view key, const View& value) {
        if (key == "major") {
            device.major = value.as_int64();
        } else if (key == "minor") {
            device.minor = value.as_int64();
        } else if (key == "weight") {
            device.weight = value.as_uint32();
        } else if (key == "leafWeight") {
            device.leaf_weight = value.as_uint32();
        }
    });
    view.require_member("major");
    view.require_member("minor");
    return device;
}

ThrottleDevice parse_throttle_device(const View& view) {
    ThrottleDevice device;
    view.for_each_member([&](std::string_view key, const View& value) {
        if (key == "major") {
            device.major = value.as_int64();
        } else if (key == "minor") {
            device.minor = value.as_int64();
        } else if (key == "rate") {
            device.rate = value.as_uint64();
        }
    });
    view.require_member("major");
    view.require_member("minor");
    return device;
}

BlockIo parse_block_io(const View& view) {
    BlockIo io;
    view.for_each_member([&](std::string_view key, const View& value) {
        if (key == "weight") {
            io.weight = value.as_uint32();
        } else if (key == "leafWeight") {
            io.leaf_weight = value.as_uint32();
        } else if (key == "weightDevice") {
            io.weight_devices = value.as_vector(parse_weight_device);
        } else if (key == "throttleReadBpsDevice") {
            io.read_bps = value.as_vector(parse_throttle_device);
        } else if (key == "throttleWriteBpsDevice") {
            io.write_bps = value.as_vector(parse_throttle_device);
        } else if (key == "throttleReadIOPSDevice") {
            io.read_iops = value.as_vector(parse_throttle_device);
        } else if (key == "throttleWriteIOPSDevice") {
            io.write_iops = value.as_vector(parse_throttle_device);
        }
    });
    return io;
}

HugepageLimit parse_hugepage_limit(const View& view) {
    HugepageLimit limit;
    view.for_each_member([&](std::string_view key, const View& value) {
        if (key == "pageSize") {
            limit.page_size = value.as_string();
        } else if (key == "limit") {
            limit.limit = value.as_uint64();
        }
    });
    view.require_member("pageSize");
    view.require_member("limit");
    return limit;
}

RdmaLimit parse_rdma_limit(const View& view) {
    RdmaLimit limit;
    view.for_each_member([&](std::string_view key, const View& value) {
        if (key == "hcaHandles") {
            limit.hca_handles = value.as_uint32();
        } else if (key == "hcaObjects") {
            limit.hca_objects = value.as_uint32();
        }
    });
    return limit;
}

/// Whether it asks for anything; managers write the empty object and zeroes.
bool parse_network(const View& view) {
    bool asked = false;
    view.for_each_member([&](std::string_view key, const View& value) {
        if (key == "classID") {
            asked = asked || value.as_uint32() != 0;
        } else if (key == "priorities") {
            value.require_kind(Kind::array);
            asked = asked || !value.is_empty_container();
        }
    });
    return asked;
}

} // namespace

Resources parse_resources(const View& view) {
    Resources resources;
    view.for_each_member([&](std::string_view key, const View& value) {
        if (key == "devices") {
            resources.devices = value.as_vector(parse_device_rule);
        } else if (key == "memory") {
            resources.memory = parse_memory(value);
        } else if (key == "cpu") {
            resources.cpu = parse_cpu(value);
        } else if (key == "pids") {
            resources.pids_limit = parse_pids_limit(value);
        } else if (key == "blockIO") {
            resources.block_io = parse_block_io(value);
        } else if (key == "hugepageLimits") {
            resources.hugepage_limits = value.as_vector(parse_hugepage_limit);
        } else if (key == "rdma") {
            value.for_each_member([&](std::string_view device, const View& limit) {
                resources.rdma.emplace(device, parse_rdma_limit(limit));
            });
        } else if (key == "network") {
            resources.network = parse_network(value);
        } else if (key == "unified") {
            resources.unified = parse_string_map(value);
        }
    });
    return resources;
}

Resources parse_resources_document(std::string_view text) {
    const json::Document document(text, "resources");
    return parse_resources(document.root());
}

} // namespace coracle::spec
