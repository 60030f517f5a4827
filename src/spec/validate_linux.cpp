#include "spec/validate_private.h"

#include "coracle/base/names.h"
#include "coracle/base/number_list.h"
#include "coracle/base/text.h"
#include "coracle/spec/process_names.h"
#include "coracle/spec/validate.h"

#include <algorithm>

namespace coracle::spec {

namespace {

const Namespace* find_namespace(const Linux& config, std::string_view type) noexcept {
    const auto found = std::find_if(config.namespaces.begin(), config.namespaces.end(),
                                    [&](const Namespace& entry) { return entry.type == type; });
    return found == config.namespaces.end() ? nullptr : &*found;
}

/// Source: runtime-spec config-linux.md#namespaces.
void validate_namespaces(const Linux& config) {
    std::vector<std::string_view> seen;
    for (std::size_t i = 0; i < config.namespaces.size(); ++i) {
        const Namespace& entry = config.namespaces[i];
        const std::string pointer = element("/linux/namespaces", i);
        if (!find_namespace_kind(entry.type)) {
            refuse(pointer + "/type", quote(entry.type) + " is not a kind of namespace");
        }
        if (contains(seen, entry.type)) {
            refuse(pointer + "/type", quote(entry.type) + " is given twice");
        }
        seen.push_back(entry.type);
        if (!entry.path.empty()) {
            require_absolute(pointer + "/path", entry.path);
        }
    }
}

/// Source: runtime-spec config-linux.md#user-namespace-mappings; user_namespaces(7).
void validate_user_mappings(const Linux& config) {
    const Namespace* user = find_namespace(config, "user");
    const auto check = [&](const char* pointer, const std::vector<IdMapping>& mappings) {
        if (user == nullptr && !mappings.empty()) {
            refuse(pointer, "needs a user namespace; add one to /linux/namespaces");
        }
        require_id_mappings(pointer, mappings);
    };
    check("/linux/uidMappings", config.uid_mappings);
    check("/linux/gidMappings", config.gid_mappings);
    if (config.uid_mappings.empty() != config.gid_mappings.empty()) {
        refuse(config.uid_mappings.empty() ? "/linux/uidMappings" : "/linux/gidMappings",
               "is empty, but the other one is not: give both or neither");
    }
}

/// Source: runtime-spec config-linux.md#offset-for-time-namespace; time_namespaces(7).
void validate_time_offsets(const Linux& config) {
    if (!config.time_offsets.empty() && find_namespace(config, "time") == nullptr) {
        refuse("/linux/timeOffsets", "needs a time namespace; add one to /linux/namespaces");
    }
    for (const auto& [clock, offset] : config.time_offsets) {
        if (clock != "monotonic" && clock != "boottime") {
            refuse("/linux/timeOffsets",
                   "has the clock " + quote(clock) + "; use \"monotonic\" or \"boottime\"");
        }
        if (offset.nanosecs > 999999999) {
            refuse("/linux/timeOffsets/" + clock + "/nanosecs", "must be below 1000000000");
        }
    }
}

/// Source: runtime-spec config-linux.md#devices; the kernel's MINORBITS is 20.
void validate_devices(const std::vector<Device>& devices) {
    constexpr std::int64_t highest_major = (1 << 12) - 1;
    constexpr std::int64_t highest_minor = (1 << 20) - 1;
    for (std::size_t i = 0; i < devices.size(); ++i) {
        const Device& device = devices[i];
        const std::string pointer = element("/linux/devices", i);
        require_absolute(pointer + "/path", device.path);
        require_word(pointer + "/type", device.type, {"c", "b", "u", "p"});
        if (device.type != "p" && (device.major < 0 || device.major > highest_major)) {
            refuse(pointer + "/major", "must be from 0 to " + std::to_string(highest_major));
        }
        if (device.type != "p" && (device.minor < 0 || device.minor > highest_minor)) {
            refuse(pointer + "/minor", "must be from 0 to " + std::to_string(highest_minor));
        }
        if (device.uid == no_id || device.gid == no_id) {
            refuse(pointer, "has the id 4294967295, which the kernel reads as \"leave unchanged\"");
        }
    }
}

bool is_sysctl_name(std::string_view name) noexcept {
    const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
               c == '_' || c == '.' || c == '/' || c == '-';
    });
    // Dots and slashes both separate, so an empty part is "..", "//", "./" or one at an end.
    const std::string_view separators = "./";
    bool after_separator = true;
    for (const char c : name) {
        const bool separator = separators.find(c) != std::string_view::npos;
        if (separator && after_separator) {
            return false;
        }
        after_separator = separator;
    }
    return plain && !after_separator;
}

/// Names become paths below /proc/sys and values go there whole, so neither may smuggle in more.
/// Source: runtime-spec config-linux.md#sysctl.
void validate_sysctls(const std::map<std::string, std::string>& sysctls) {
    for (const auto& [name, value] : sysctls) {
        if (!is_sysctl_name(name)) {
            refuse("/linux/sysctl", quote(name) + " is not a name such as \"net.ipv4.ip_forward\"");
        }
        if (value.find('\n') != std::string::npos || value.find('\0') != std::string::npos) {
            refuse("/linux/sysctl/" + printable(name), "the value contains a newline or a NUL");
        }
    }
}

void validate_paths(const std::string& pointer, const std::vector<std::string>& paths) {
    for (std::size_t i = 0; i < paths.size(); ++i) {
        require_absolute(element(pointer, i), paths[i]);
    }
}

void validate_cgroups_path(const std::string& path) {
    if (contains(split(path, '/'), "..")) {
        refuse("/linux/cgroupsPath", quote(path) + " contains \"..\"");
    }
}

/// Source: runtime-spec config-linux.md#memory-policy; set_mempolicy(2).
void validate_memory_policy(const MemoryPolicy& policy) {
    constexpr std::uint32_t highest_node = 1023; // the kernel's NODES_SHIFT is 10 at most
    const std::string pointer = "/linux/memoryPolicy";
    require_word(pointer + "/mode", policy.mode, names_of(memory_policy_modes()));
    for (std::size_t i = 0; i < policy.flags.size(); ++i) {
        require_word(element(pointer + "/flags", i), policy.flags[i],
                     names_of(memory_policy_flags()));
    }
    const auto has_flag = [&](const char* name) {
        return std::find(policy.flags.begin(), policy.flags.end(), name) != policy.flags.end();
    };
    if (has_flag("MPOL_F_STATIC_NODES") && has_flag("MPOL_F_RELATIVE_NODES")) {
        refuse(pointer + "/flags",
               "MPOL_F_STATIC_NODES and MPOL_F_RELATIVE_NODES exclude each other");
    }
    const std::optional<std::vector<std::uint64_t>> nodes =
        parse_number_list(policy.nodes, highest_node);
    if (!nodes) {
        refuse(pointer + "/nodes",
               quote(policy.nodes) + " is not a list of memory nodes such as \"0-3,7\"");
    }
    const bool takes_none = policy.mode == "MPOL_DEFAULT" || policy.mode == "MPOL_LOCAL";
    if (takes_none && !nodes->empty()) {
        refuse(pointer + "/nodes", "must be empty with " + policy.mode);
    }
    if (!takes_none && policy.mode != "MPOL_PREFERRED" && nodes->empty()) {
        refuse(pointer + "/nodes", "is empty, but " + policy.mode + " needs a node");
    }
}

/// Source: runtime-spec config-linux.md#intelrdt.
void validate_intel_rdt(const IntelRdt& rdt) {
    const std::string pointer = "/linux/intelRdt";
    const bool names_a_directory = rdt.clos_id.empty() || rdt.clos_id == "/" ||
                                   (is_path_component(rdt.clos_id) && rdt.clos_id != "info" &&
                                    rdt.clos_id != "mon_groups" && rdt.clos_id != "mon_data");
    require_one_line(pointer + "/closID", rdt.clos_id);
    if (!names_a_directory) {
        refuse(pointer + "/closID", quote(rdt.clos_id) + " is not the name of one directory of "
                                                         "resctrl, nor \"/\"");
    }
    require_one_line(pointer + "/l3CacheSchema", rdt.l3_cache_schema);
    require_one_line(pointer + "/memBwSchema", rdt.mem_bw_schema);
    if (!rdt.mem_bw_schema.empty() && rdt.mem_bw_schema.rfind("MB:", 0) != 0) {
        refuse(pointer + "/memBwSchema", quote(rdt.mem_bw_schema) + " does not begin with \"MB:\"");
    }
    for (std::size_t i = 0; i < rdt.schemata.size(); ++i) {
        require_one_line(element(pointer + "/schemata", i), rdt.schemata[i]);
    }
}

/// The kernel's dev_valid_name, and "%d" once at most. Source: runtime-spec
/// config-linux.md#network-devices; net/core/dev.c.
bool is_device_name(std::string_view name) noexcept {
    constexpr std::size_t longest = 15; // IFNAMSIZ - 1
    const std::size_t percent = name.find('%');
    const bool one_number =
        percent == std::string_view::npos ||
        (name.substr(percent, 2) == "%d" && name.find('%', percent + 1) == std::string_view::npos);
    return is_path_component(name) && name.size() <= longest && one_number &&
           name.find_first_of(": \t\n\v\f\r") == std::string_view::npos;
}

void validate_net_devices(const Linux& config) {
    const std::string pointer = "/linux/netDevices/";
    std::vector<std::string_view> inside;
    if (!config.net_devices.empty() && find_namespace(config, "network") == nullptr) {
        refuse("/linux/netDevices", "needs a network namespace; add one to /linux/namespaces");
    }
    for (const auto& [host_name, device] : config.net_devices) {
        const std::string& name = device.name.empty() ? host_name : device.name;
        if (!is_device_name(host_name) || host_name.find('%') != std::string::npos) {
            refuse("/linux/netDevices", quote(host_name) + " is not the name of a network device");
        }
        if (!is_device_name(name)) {
            refuse(pointer + host_name + "/name",
                   quote(name) + " is not a name that a network device can have");
        }
        if (name.find('%') == std::string::npos && contains(inside, name)) {
            refuse(pointer + host_name + "/name", quote(name) + " is given twice");
        }
        inside.push_back(name);
    }
}

/// Source: runtime-spec config-linux.md#personality: "Currently no flag values are supported".
void validate_personality(const Personality& personality) {
    require_word("/linux/personality/domain", personality.domain, names_of(personality_domains()));
    if (!personality.flags.empty()) {
        refuse("/linux/personality/flags",
               quote(personality.flags.front()) +
                   " is not known: the runtime-spec has no flags; leave them out");
    }
}

} // namespace

void validate_linux(const Linux& linux_section) {
    validate_namespaces(linux_section);
    validate_user_mappings(linux_section);
    validate_time_offsets(linux_section);
    validate_devices(linux_section.devices);
    validate_cgroups_path(linux_section.cgroups_path);
    if (linux_section.resources) {
        validate_resources(*linux_section.resources);
    }
    validate_sysctls(linux_section.sysctl);
    if (linux_section.seccomp) {
        validate_seccomp(*linux_section.seccomp);
    }
    // Source: runtime-spec config-linux.md#rootfs-mount-propagation.
    if (!linux_section.rootfs_propagation.empty()) {
        require_word("/linux/rootfsPropagation", linux_section.rootfs_propagation,
                     {"private", "rprivate", "shared", "rshared", "slave", "rslave", "unbindable",
                      "runbindable"});
    }
    validate_paths("/linux/maskedPaths", linux_section.masked_paths);
    validate_paths("/linux/readonlyPaths", linux_section.readonly_paths);
    require_one_line("/linux/mountLabel", linux_section.mount_label);
    if (linux_section.personality) {
        validate_personality(*linux_section.personality);
    }
    if (linux_section.memory_policy) {
        validate_memory_policy(*linux_section.memory_policy);
    }
    if (linux_section.intel_rdt) {
        validate_intel_rdt(*linux_section.intel_rdt);
    }
    validate_net_devices(linux_section);
}

} // namespace coracle::spec
