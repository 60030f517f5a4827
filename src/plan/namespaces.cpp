#include "plan_private.h"

#include "coracle/base/error.h"

#include <algorithm>

namespace coracle::plan {

namespace {

const NamespacePlan* find(const std::vector<NamespacePlan>& namespaces, NamespaceKind kind) {
    for (const NamespacePlan& entry : namespaces) {
        if (entry.kind == kind) {
            return &entry;
        }
    }
    return nullptr;
}

/// Kinds that must be there.
void require_possible(const Inputs& inputs, const std::vector<NamespacePlan>& namespaces) {
    const NamespacePlan* mount = find(namespaces, NamespaceKind::mount);
    if (mount == nullptr) {
        throw_error(ErrorKind::unsupported,
                    "/linux/namespaces: a container needs its own mount namespace: add "
                    "{\"type\": \"mount\"}");
    }
    if (!inputs.facts.privileged && find(namespaces, NamespaceKind::user) == nullptr) {
        throw_error(ErrorKind::unsupported,
                    "/linux/namespaces: rootless container requires user namespaces: add "
                    "{\"type\": \"user\"} and one mapping of your own ids, as `coracle spec "
                    "--rootless` writes it");
    }
}

} // namespace

std::vector<NamespacePlan> make_namespaces(const Inputs& inputs) {
    std::vector<NamespacePlan> namespaces;
    for (const spec::Namespace& entry : inputs.linux_.namespaces) {
        std::optional<NamespaceKind> kind = find_namespace_kind(entry.type);
        if (!kind) {
            throw_error(ErrorKind::invalid_config, "/linux/namespaces: unknown type " + entry.type);
        }
        namespaces.push_back({*kind, entry.path});
    }
    std::sort(namespaces.begin(), namespaces.end(),
              [](const NamespacePlan& a, const NamespacePlan& b) { return a.kind < b.kind; });
    require_possible(inputs, namespaces);
    return namespaces;
}

std::vector<TimeOffset> make_time_offsets(const Inputs& inputs, const LaunchPlan& plan) {
    std::vector<TimeOffset> offsets;
    for (const auto& [clock, offset] : inputs.linux_.time_offsets) {
        offsets.push_back({clock, offset.secs, offset.nanosecs});
    }
    if (!offsets.empty() && !has_new(plan.namespaces, NamespaceKind::time)) {
        throw_error(ErrorKind::invalid_config,
                    "/linux/timeOffsets: the time namespace that is joined has its offsets: leave "
                    "these out, or its path");
    }
    return offsets;
}

std::vector<NetDevicePlan> make_net_devices(const Inputs& inputs) {
    std::vector<NetDevicePlan> devices;
    for (const auto& [host_name, device] : inputs.linux_.net_devices) {
        devices.push_back({host_name, device.name.empty() ? host_name : device.name});
    }
    if (!devices.empty() && !inputs.facts.privileged) {
        throw_error(ErrorKind::unsupported,
                    "/linux/netDevices: network devices are not supported for rootless containers: "
                    "moving one needs CAP_NET_ADMIN over the host's network namespace; run coracle "
                    "as root");
    }
    return devices;
}

bool has_new(const std::vector<NamespacePlan>& namespaces, NamespaceKind kind) {
    const NamespacePlan* entry = find(namespaces, kind);
    return entry != nullptr && entry->path.empty();
}

} // namespace coracle::plan
