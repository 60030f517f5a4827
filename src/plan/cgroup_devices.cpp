#include "cgroup_private.h"

#include <array>

namespace coracle::plan {

namespace {

constexpr std::uint32_t make = 1; // BPF_DEVCG_ACC_*
constexpr std::uint32_t read = 2;
constexpr std::uint32_t write = 4;
constexpr std::uint32_t all = make | read | write;

std::uint32_t parse_access(const std::string& text) {
    std::uint32_t access = 0;
    for (char c : text) {
        access |= c == 'm' ? make : c == 'r' ? read : write;
    }
    return text.empty() ? all : access;
}

std::optional<std::uint32_t> parse_number(const std::optional<std::int64_t>& number) {
    return number && *number >= 0 ? std::optional(static_cast<std::uint32_t>(*number))
                                  : std::nullopt;
}

/// Nodes may be made; only what a container cannot do without may be used. With the last, a VPN
/// works in a container that makes the node: engines' users count on it (runc 1.2.4), and what it
/// does takes CAP_NET_ADMIN of a network namespace anyway.
constexpr std::array<DeviceRule, 12> default_rules{{
    {true, DeviceKind::character, std::nullopt, std::nullopt, make},
    {true, DeviceKind::block, std::nullopt, std::nullopt, make},
    {true, DeviceKind::character, 1, 3, all},              // null
    {true, DeviceKind::character, 1, 5, all},              // zero
    {true, DeviceKind::character, 1, 7, all},              // full
    {true, DeviceKind::character, 1, 8, all},              // random
    {true, DeviceKind::character, 1, 9, all},              // urandom
    {true, DeviceKind::character, 5, 0, all},              // tty
    {true, DeviceKind::character, 5, 1, all},              // console
    {true, DeviceKind::character, 5, 2, all},              // ptmx
    {true, DeviceKind::character, 136, std::nullopt, all}, // pts
    {true, DeviceKind::character, 10, 200, all},           // net/tun
}};

} // namespace

std::vector<DeviceRule> make_device_rules(const std::vector<spec::DeviceCgroupRule>& rules) {
    std::vector<DeviceRule> made;
    for (const spec::DeviceCgroupRule& rule : rules) {
        if (rule.type == "p") { // a fifo is no device
            continue;
        }
        DeviceRule entry;
        entry.allow = rule.allow;
        entry.kind = rule.type == "b"                       ? DeviceKind::block
                     : rule.type == "c" || rule.type == "u" ? DeviceKind::character
                                                            : DeviceKind::any;
        entry.major = parse_number(rule.major);
        entry.minor = parse_number(rule.minor);
        entry.access = parse_access(rule.access);
        bool everything =
            entry.kind == DeviceKind::any && !entry.major && !entry.minor && entry.access == all;
        if (everything) { // what stands before has no effect
            made.clear();
        }
        made.push_back(entry);
    }
    bool all_allowed = made.size() == 1 && made.front().allow && !made.front().major &&
                       !made.front().minor && made.front().kind == DeviceKind::any &&
                       made.front().access == all;
    if (!all_allowed) {
        made.insert(made.end(), default_rules.begin(), default_rules.end());
    }
    return made;
}

} // namespace coracle::plan
