#include "describe_private.h"

#include "coracle/base/text.h"

#include <fmt/format.h>

namespace coracle::plan {

namespace {

std::string text_of(const UnitProperty& property) {
    if (const bool* flag = std::get_if<bool>(&property.value)) {
        return *flag ? "yes" : "no";
    }
    if (const std::uint64_t* number = std::get_if<std::uint64_t>(&property.value)) {
        return *number == UINT64_MAX ? "infinity" : std::to_string(*number);
    }
    if (const std::string* text = std::get_if<std::string>(&property.value)) {
        return quote(*text);
    }
    if (const DeviceValue* device = std::get_if<DeviceValue>(&property.value)) {
        return printable(device->node) + " " + std::to_string(device->value);
    }
    std::string bytes;
    for (std::uint8_t byte : std::get<std::vector<std::uint8_t>>(property.value)) {
        bytes += fmt::format("{:02x}", byte);
    }
    return bytes;
}

void describe_writes(const std::vector<CgroupWrite>& writes, std::string& out) {
    for (const CgroupWrite& write : writes) {
        out += fmt::format("  {} = {}", write.file, printable(write.value));
        if (!write.other_file.empty()) {
            out +=
                fmt::format(", {} {} = {}", write.other == CgroupWrite::Other::too ? "and" : "else",
                            write.other_file, printable(write.other_value));
        }
        out += write.may_be_early ? " (may be early)" : "";
        out += write.above.empty() ? "" : " (must be above " + write.above + ")";
        out += write.missing == CgroupWrite::Missing::error ? "\n" : " (where there is one)\n";
    }
}

void describe_devices(const std::vector<DeviceRule>& rules, std::string& out) {
    const auto number = [](const std::optional<std::uint32_t>& value) {
        return value ? std::to_string(*value) : std::string("*");
    };
    for (const DeviceRule& rule : rules) {
        const char* kind = rule.kind == DeviceKind::any     ? "any"
                           : rule.kind == DeviceKind::block ? "block"
                                                            : "character";
        out +=
            fmt::format("  device rule: {} {} {}:{} {}{}{}\n", rule.allow ? "allow" : "deny", kind,
                        number(rule.major), number(rule.minor), (rule.access & 2U) != 0 ? "r" : "",
                        (rule.access & 4U) != 0 ? "w" : "", (rule.access & 1U) != 0 ? "m" : "");
    }
}

void describe_scope(const CgroupPlan& cgroup, std::string& out) {
    const ScopePlan& scope = cgroup.scope;
    out += fmt::format("cgroup: scope {} in {} by the {}'s systemd over {}{}\n",
                       printable(scope.name), printable(scope.slice),
                       scope.bus == BusKind::system ? "system" : "user", printable(scope.bus_path),
                       cgroup.scope_start == ScopeStart::with_intermediate
                           ? ", started before the ids change"
                           : "");
    for (const UnitProperty& property : scope.properties) {
        out += fmt::format("  property {} = {}\n", property.name, text_of(property));
    }
    out += fmt::format("  property OOMPolicy = {} (where systemd knows it)\n", scope.oom_policy);
}

} // namespace

void describe_cgroup(const CgroupPlan& cgroup, std::string& out) {
    switch (cgroup.method) {
    case CgroupMethod::none:
        out += fmt::format("cgroup: none ({})\n", cgroup.reason);
        return;
    case CgroupMethod::cgroupfs:
        out += fmt::format("cgroup: {} below {}\n", quote(cgroup.path), cgroup.mount_point);
        break;
    case CgroupMethod::systemd:
        describe_scope(cgroup, out);
        break;
    }
    if (cgroup.optional) {
        out += "  without it where it cannot be made\n";
    }
    out += "  controllers: " + join(cgroup.controllers, " ") + "\n";
    describe_writes(cgroup.writes, out);
    if (cgroup.devices) {
        describe_devices(*cgroup.devices, out);
    }
    if (cgroup.owner) {
        out += fmt::format("  delegated to host uid {}\n", *cgroup.owner);
    }
    if (!cgroup.sub_cgroup.empty()) {
        out += "  the payload in " + quote(cgroup.sub_cgroup) + " below it\n";
    }
}

} // namespace coracle::plan
