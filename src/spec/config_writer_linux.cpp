#include "coracle/spec/config_writer.h"
#include "spec/config_writer_private.h"

namespace coracle::spec {

namespace {

using json::Writer;

void write_seccomp_rule(Writer& writer, const SeccompSyscall& rule) {
    writer.key("names").strings(rule.names);
    writer.key("action").string(rule.action);
    write_number(writer, "errnoRet", rule.errno_ret);
    write_objects(writer, "args", rule.args, [&](const SeccompArg& arg) {
        write_number(writer, "index", arg.index);
        write_number(writer, "value", arg.value);
        write_number_if_set(writer, "valueTwo", arg.value_two);
        writer.key("op").string(arg.op);
    });
}

void write_devices(Writer& writer, const std::vector<Device>& devices) {
    write_objects(writer, "devices", devices, [&](const Device& device) {
        writer.key("path").string(device.path);
        writer.key("type").string(device.type);
        if (device.type != "p") {
            write_number(writer, "major", device.major);
            write_number(writer, "minor", device.minor);
        }
        write_number(writer, "fileMode", device.file_mode);
        write_number(writer, "uid", device.uid);
        write_number(writer, "gid", device.gid);
    });
}

void write_namespaces(Writer& writer, const Linux& value) {
    write_objects(writer, "namespaces", value.namespaces, [&](const Namespace& entry) {
        writer.key("type").string(entry.type);
        write_text(writer, "path", entry.path);
    });
    write_id_mappings(writer, "uidMappings", value.uid_mappings);
    write_id_mappings(writer, "gidMappings", value.gid_mappings);
    write_map(writer, "timeOffsets", value.time_offsets, [&](const TimeOffset& offset) {
        write_number(writer, "secs", offset.secs);
        write_number(writer, "nanosecs", offset.nanosecs);
    });
}

void write_intel_rdt(Writer& writer, const IntelRdt& rdt) {
    write_text(writer, "closID", rdt.clos_id);
    write_text(writer, "l3CacheSchema", rdt.l3_cache_schema);
    write_text(writer, "memBwSchema", rdt.mem_bw_schema);
    write_texts(writer, "schemata", rdt.schemata);
    write_flag(writer, "enableMonitoring", rdt.enable_monitoring);
}

} // namespace

void write_seccomp(Writer& writer, const Seccomp& seccomp) {
    writer.begin_object();
    writer.key("defaultAction").string(seccomp.default_action);
    write_number(writer, "defaultErrnoRet", seccomp.default_errno_ret);
    write_texts(writer, "architectures", seccomp.architectures);
    write_texts(writer, "flags", seccomp.flags);
    write_text(writer, "listenerPath", seccomp.listener_path);
    write_text(writer, "listenerMetadata", seccomp.listener_metadata);
    write_objects(writer, "syscalls", seccomp.syscalls,
                  [&](const SeccompSyscall& rule) { write_seccomp_rule(writer, rule); });
    writer.end_object();
}

std::string write_seccomp_document(const Seccomp& seccomp) {
    Writer writer(json::Layout::tabs);
    write_seccomp(writer, seccomp);
    return writer.finish();
}

void write_linux(Writer& writer, const Linux& value) {
    writer.begin_object();
    write_namespaces(writer, value);
    write_devices(writer, value.devices);
    write_text(writer, "cgroupsPath", value.cgroups_path);
    if (value.resources) {
        writer.key("resources");
        write_resources(writer, *value.resources);
    }
    if (!value.sysctl.empty()) {
        writer.key("sysctl").string_map(value.sysctl);
    }
    if (value.seccomp) {
        writer.key("seccomp");
        write_seccomp(writer, *value.seccomp);
    }
    write_text(writer, "rootfsPropagation", value.rootfs_propagation);
    write_texts(writer, "maskedPaths", value.masked_paths);
    write_texts(writer, "readonlyPaths", value.readonly_paths);
    write_text(writer, "mountLabel", value.mount_label);
    write_object(writer, "personality", value.personality, [&](const Personality& personality) {
        writer.key("domain").string(personality.domain);
        write_texts(writer, "flags", personality.flags);
    });
    write_object(writer, "intelRdt", value.intel_rdt,
                 [&](const IntelRdt& rdt) { write_intel_rdt(writer, rdt); });
    write_object(writer, "memoryPolicy", value.memory_policy, [&](const MemoryPolicy& policy) {
        writer.key("mode").string(policy.mode);
        write_text(writer, "nodes", policy.nodes);
        write_texts(writer, "flags", policy.flags);
    });
    write_map(writer, "netDevices", value.net_devices,
              [&](const NetDevice& device) { write_text(writer, "name", device.name); });
    writer.end_object();
}

} // namespace coracle::spec
