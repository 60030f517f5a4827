#include "spec/config_json_private.h"

namespace coracle::spec {

namespace {

using json::Kind;
using json::View;

Namespace parse_namespace(const View& view) {
    Namespace result;
    view.for_each_member([&](std::string_view key, const View& value) {
        if (key == "type") {
            result.type = value.as_string();
        } else if (key == "path") {
            result.path = value.as_string();
        }
    });
    view.require_member("type");
    return result;
}

TimeOffset parse_time_offset(const View& view) {
    TimeOffset offset;
    view.for_each_member([&](std::string_view key, const View& value) {
        if (key == "secs") {
            offset.secs = value.as_int64();
        } else if (key == "nanosecs") {
            offset.nanosecs = value.as_uint32();
        }
    });
    return offset;
}

std::map<std::string, TimeOffset> parse_time_offsets(const View& view) {
    std::map<std::string, TimeOffset> offsets;
    view.for_each_member([&](std::string_view key, const View& value) {
        offsets.emplace(key, parse_time_offset(value));
    });
    return offsets;
}

Device parse_device(const View& view) {
    Device device;
    view.for_each_member([&](std::string_view key, const View& value) {
        if (key == "path") {
            device.path = value.as_string();
        } else if (key == "type") {
            device.type = value.as_string();
        } else if (key == "major") {
            device.major = value.as_int64();
        } else if (key == "minor") {
            device.minor = value.as_int64();
        } else if (key == "fileMode") {
            device.file_mode = value.as_uint32();
        } else if (key == "uid") {
            device.uid = value.as_uint32();
        } else if (key == "gid") {
            device.gid = value.as_uint32();
        }
    });
    view.require_member("path");
    view.require_member("type");
    if (device.type != "p") { // a FIFO has no number
        view.require_member("major");
        view.require_member("minor");
    }
    return device;
}

Personality parse_personality(const View& view) {
    Personality personality;
    view.for_each_member([&](std::string_view key, const View& value) {
        if (key == "domain") {
            personality.domain = value.as_string();
        } else if (key == "flags") {
            personality.flags = value.as_strings();
        }
    });
    view.require_member("domain");
    return personality;
}

MemoryPolicy parse_memory_policy(const View& view) {
    MemoryPolicy policy;
    view.for_each_member([&](std::string_view key, const View& value) {
        if (key == "mode") {
            policy.mode = value.as_string();
        } else if (key == "nodes") {
            policy.nodes = value.as_string();
        } else if (key == "flags") {
            policy.flags = value.as_strings();
        }
    });
    view.require_member("mode");
    return policy;
}

/// enableCMT and enableMBM, which 1.3.0 has removed, are keys like any unknown one.
IntelRdt parse_intel_rdt(const View& view) {
    IntelRdt rdt;
    view.for_each_member([&](std::string_view key, const View& value) {
        if (key == "closID") {
            rdt.clos_id = value.as_string();
        } else if (key == "l3CacheSchema") {
            rdt.l3_cache_schema = value.as_string();
        } else if (key == "memBwSchema") {
            rdt.mem_bw_schema = value.as_string();
        } else if (key == "schemata") {
            rdt.schemata = value.as_strings();
        } else if (key == "enableMonitoring") {
            rdt.enable_monitoring = value.as_bool();
        }
    });
    return rdt;
}

std::map<std::string, NetDevice> parse_net_devices(const View& view) {
    std::map<std::string, NetDevice> devices;
    view.for_each_member([&](std::string_view host_name, const View& device) {
        NetDevice& made = devices[std::string(host_name)];
        device.for_each_member([&](std::string_view key, const View& value) {
            if (key == "name") {
                made.name = value.as_string();
            }
        });
    });
    return devices;
}

/// Members about what the container may touch; other keys are ignored.
void parse_restriction(Linux& result, std::string_view key, const View& value) {
    if (key == "seccomp") {
        result.seccomp = parse_seccomp(value);
    } else if (key == "maskedPaths") {
        result.masked_paths = value.as_strings();
    } else if (key == "readonlyPaths") {
        result.readonly_paths = value.as_strings();
    } else if (key == "mountLabel") {
        result.mount_label = value.as_string();
    } else if (key == "rootfsPropagation") {
        result.rootfs_propagation = value.as_string();
    } else if (key == "personality") {
        result.personality = parse_personality(value);
    } else if (key == "intelRdt") {
        result.intel_rdt = parse_intel_rdt(value);
    } else if (key == "memoryPolicy") {
        result.memory_policy = parse_memory_policy(value);
    } else if (key == "netDevices") {
        result.net_devices = parse_net_devices(value);
    }
}

} // namespace

Linux parse_linux(const View& view) {
    Linux result;
    view.for_each_member([&](std::string_view key, const View& value) {
        if (key == "namespaces") {
            result.namespaces = value.as_vector(parse_namespace);
        } else if (key == "uidMappings") {
            result.uid_mappings = parse_id_mappings(value);
        } else if (key == "gidMappings") {
            result.gid_mappings = parse_id_mappings(value);
        } else if (key == "timeOffsets") {
            result.time_offsets = parse_time_offsets(value);
        } else if (key == "devices") {
            result.devices = value.as_vector(parse_device);
        } else if (key == "cgroupsPath") {
            result.cgroups_path = value.as_string();
        } else if (key == "resources") {
            result.resources = parse_resources(value);
        } else if (key == "sysctl") {
            result.sysctl = parse_string_map(value);
        } else {
            parse_restriction(result, key, value);
        }
    });
    return result;
}

} // namespace coracle::spec
