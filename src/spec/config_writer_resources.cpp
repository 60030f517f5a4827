#include "spec/config_writer_private.h"

namespace coracle::spec {

namespace {

using json::Writer;

void write_memory(Writer& writer, const MemoryResources& memory) {
    write_number(writer, "limit", memory.limit);
    write_number(writer, "reservation", memory.reservation);
    write_number(writer, "swap", memory.swap);
    write_number(writer, "kernel", memory.kernel);
    write_number(writer, "kernelTCP", memory.kernel_tcp);
    write_number(writer, "swappiness", memory.swappiness);
    write_flag(writer, "disableOOMKiller", memory.disable_oom_killer);
    write_flag(writer, "checkBeforeUpdate", memory.check_before_update);
}

void write_cpu(Writer& writer, const CpuResources& cpu) {
    write_number(writer, "shares", cpu.shares);
    write_number(writer, "quota", cpu.quota);
    write_number(writer, "burst", cpu.burst);
    write_number(writer, "period", cpu.period);
    write_number(writer, "realtimeRuntime", cpu.realtime_runtime);
    write_number(writer, "realtimePeriod", cpu.realtime_period);
    write_text(writer, "cpus", cpu.cpus);
    write_text(writer, "mems", cpu.mems);
    write_number(writer, "idle", cpu.idle);
}

void write_throttles(Writer& writer, std::string_view key,
                     const std::vector<ThrottleDevice>& throttles) {
    write_objects(writer, key, throttles, [&](const ThrottleDevice& throttle) {
        write_number(writer, "major", throttle.major);
        write_number(writer, "minor", throttle.minor);
        write_number(writer, "rate", throttle.rate);
    });
}

void write_block_io(Writer& writer, const BlockIo& block_io) {
    write_number(writer, "weight", block_io.weight);
    write_number(writer, "leafWeight", block_io.leaf_weight);
    write_objects(writer, "weightDevice", block_io.weight_devices, [&](const WeightDevice& device) {
        write_number(writer, "major", device.major);
        write_number(writer, "minor", device.minor);
        write_number(writer, "weight", device.weight);
        write_number(writer, "leafWeight", device.leaf_weight);
    });
    write_throttles(writer, "throttleReadBpsDevice", block_io.read_bps);
    write_throttles(writer, "throttleWriteBpsDevice", block_io.write_bps);
    write_throttles(writer, "throttleReadIOPSDevice", block_io.read_iops);
    write_throttles(writer, "throttleWriteIOPSDevice", block_io.write_iops);
}

void write_device_rules(Writer& writer, const std::vector<DeviceCgroupRule>& rules) {
    write_objects(writer, "devices", rules, [&](const DeviceCgroupRule& rule) {
        writer.key("allow").boolean(rule.allow);
        write_text(writer, "type", rule.type);
        write_number(writer, "major", rule.major);
        write_number(writer, "minor", rule.minor);
        write_text(writer, "access", rule.access);
    });
}

} // namespace

void write_resources(Writer& writer, const Resources& resources) {
    writer.begin_object();
    write_device_rules(writer, resources.devices);
    write_object(writer, "memory", resources.memory,
                 [&](const MemoryResources& memory) { write_memory(writer, memory); });
    write_object(writer, "cpu", resources.cpu,
                 [&](const CpuResources& cpu) { write_cpu(writer, cpu); });
    write_object(writer, "pids", resources.pids_limit,
                 [&](std::int64_t limit) { write_number(writer, "limit", limit); });
    write_object(writer, "blockIO", resources.block_io,
                 [&](const BlockIo& block_io) { write_block_io(writer, block_io); });
    write_objects(writer, "hugepageLimits", resources.hugepage_limits,
                  [&](const HugepageLimit& limit) {
                      writer.key("pageSize").string(limit.page_size);
                      write_number(writer, "limit", limit.limit);
                  });
    write_map(writer, "rdma", resources.rdma, [&](const RdmaLimit& limit) {
        write_number(writer, "hcaHandles", limit.hca_handles);
        write_number(writer, "hcaObjects", limit.hca_objects);
    });
    if (resources.network) { // which of its keys it was makes no difference here
        writer.key("network").begin_object().key("classID").integer(1).end_object();
    }
    if (!resources.unified.empty()) {
        writer.key("unified").string_map(resources.unified);
    }
    writer.end_object();
}

} // namespace coracle::spec
