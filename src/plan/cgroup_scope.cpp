#include "cgroup_private.h"

#include "coracle/base/error.h"
#include "coracle/base/number_list.h"
#include "coracle/base/text.h"
#include "coracle/spec/annotations.h"

#include <algorithm>
#include <array>
#include <limits>
#include <string_view>

/// What systemd is told of a container: systemd.unit(5), systemd.resource-control(5).
namespace coracle::plan {

namespace {

constexpr std::uint64_t infinity = std::numeric_limits<std::uint64_t>::max();
constexpr std::string_view annotation_prefix = spec::unit_property_annotation;

std::uint64_t limit_value(std::int64_t limit) {
    return limit < 0 ? infinity : static_cast<std::uint64_t>(limit);
}

/// A bit a CPU or node, the lowest first.
std::vector<std::uint8_t> mask_bytes(const std::string& list) {
    constexpr std::uint32_t highest = 65535;
    std::vector<std::uint8_t> bytes;
    for (std::uint64_t word :
         parse_number_list(list, highest).value_or(std::vector<std::uint64_t>())) {
        for (unsigned shift = 0; shift < 64; shift += 8) {
            bytes.push_back(static_cast<std::uint8_t>(word >> shift & 0xffU));
        }
    }
    while (!bytes.empty() && bytes.back() == 0) {
        bytes.pop_back();
    }
    return bytes;
}

void add_memory(const spec::MemoryResources& memory, std::vector<UnitProperty>& properties) {
    std::int64_t limit = memory.limit.value_or(0);
    std::int64_t swap = memory.swap.value_or(0);
    if (limit != 0) {
        properties.push_back({"MemoryMax", limit_value(limit)});
    }
    if (memory.reservation.value_or(0) != 0) {
        properties.push_back({"MemoryLow", limit_value(*memory.reservation)});
    }
    if (swap > 0) {
        properties.push_back({"MemorySwapMax", limit_value(swap - limit)});
    } else if (swap < 0 || limit < 0) {
        properties.push_back({"MemorySwapMax", infinity});
    }
}

void add_cpu(const spec::CpuResources& cpu, std::vector<UnitProperty>& properties) {
    std::uint64_t weight = cpu_weight_of_shares(cpu.shares.value_or(0));
    if (weight != 0 && cpu.idle.value_or(0) != 1) {
        properties.push_back({"CPUWeight", weight});
    }
    std::uint64_t period = cpu.period.value_or(0);
    std::int64_t quota = cpu.quota.value_or(0);
    if (period != 0) {
        properties.push_back({"CPUQuotaPeriodUSec", period});
    }
    if (quota > 0) {
        constexpr std::uint64_t default_period = 100000;
        properties.push_back(
            {"CPUQuotaPerSecUSec", quota_of_systemd(static_cast<std::uint64_t>(quota),
                                                    period != 0 ? period : default_period)});
    } else if (quota < 0 || period != 0) {
        properties.push_back({"CPUQuotaPerSecUSec", infinity});
    }
    if (!cpu.cpus.empty()) {
        properties.push_back({"AllowedCPUs", mask_bytes(cpu.cpus)});
    }
    if (!cpu.mems.empty()) {
        properties.push_back({"AllowedMemoryNodes", mask_bytes(cpu.mems)});
    }
}

/// Those whose files hold one number or "max".
void add_unified(const std::map<std::string, std::string>& unified,
                 std::vector<UnitProperty>& properties) {
    constexpr std::array<std::pair<const char*, const char*>, 7> names{{
        {"cpu.weight", "CPUWeight"},
        {"memory.high", "MemoryHigh"},
        {"memory.low", "MemoryLow"},
        {"memory.max", "MemoryMax"},
        {"memory.min", "MemoryMin"},
        {"memory.swap.max", "MemorySwapMax"},
        {"pids.max", "TasksMax"},
    }};
    for (const auto& [file, name] : names) {
        auto found = unified.find(file);
        if (found == unified.end()) {
            continue;
        }
        std::optional<std::uint64_t> number =
            found->second == "max" ? infinity : parse_unsigned(found->second, infinity - 1);
        std::erase_if(properties, [name = name](const UnitProperty& p) { return p.name == name; });
        if (number) {
            properties.push_back({name, *number});
        }
    }
    for (const auto& [file, name] : {std::pair{"cpuset.cpus", "AllowedCPUs"},
                                     std::pair{"cpuset.mems", "AllowedMemoryNodes"}}) {
        auto found = unified.find(file);
        if (found != unified.end() && !mask_bytes(found->second).empty()) {
            std::erase_if(properties,
                          [name = name](const UnitProperty& p) { return p.name == name; });
            properties.push_back({name, mask_bytes(found->second)});
        }
    }
}

enum class Type { number, microseconds, text, boolean };

struct Allowed {
    std::string_view name;
    Type type;
};

/// They limit, account or say how long to wait. None runs a program, changes whom the unit belongs
/// to, or takes a restriction away.
constexpr std::array<Allowed, 22> allowed_properties{{
    {"TimeoutStopUSec", Type::microseconds},
    {"CollectMode", Type::text},
    {"MemoryMin", Type::number},
    {"MemoryLow", Type::number},
    {"MemoryHigh", Type::number},
    {"MemoryMax", Type::number},
    {"MemorySwapMax", Type::number},
    {"MemoryZSwapMax", Type::number},
    {"MemoryAccounting", Type::boolean},
    {"CPUWeight", Type::number},
    {"StartupCPUWeight", Type::number},
    {"CPUQuotaPerSecUSec", Type::microseconds},
    {"CPUQuotaPeriodUSec", Type::microseconds},
    {"CPUAccounting", Type::boolean},
    {"TasksMax", Type::number},
    {"TasksAccounting", Type::boolean},
    {"IOWeight", Type::number},
    {"StartupIOWeight", Type::number},
    {"IOAccounting", Type::boolean},
    {"ManagedOOMSwap", Type::text},
    {"ManagedOOMMemoryPressure", Type::text},
    {"ManagedOOMPreference", Type::text},
}};

std::string_view without(std::string_view text, std::string_view prefix) {
    return text.starts_with(prefix) ? text.substr(prefix.size()) : text;
}

/// A number in the text form of GVariant: "uint64 5", "@t 5", "5".
std::optional<std::uint64_t> parse_number(std::string_view text) {
    for (std::string_view prefix : {"uint64 ", "int64 ", "uint32 ", "int32 ", "@t ", "@u "}) {
        text = without(text, prefix);
    }
    return parse_unsigned(text, infinity);
}

/// "5" or "2.5" seconds.
std::optional<std::uint64_t> parse_seconds(std::string_view text) {
    constexpr std::uint64_t million = 1000000;
    constexpr std::uint64_t highest = infinity / million - 1;
    std::size_t point = text.find('.');
    if (point == std::string_view::npos) {
        std::optional<std::uint64_t> whole = parse_number(text);
        return whole && *whole <= highest ? std::optional(*whole * million) : std::nullopt;
    }
    std::optional<std::uint64_t> whole = parse_unsigned(text.substr(0, point), highest);
    std::string fraction = std::string(text.substr(point + 1)) + "000000";
    std::optional<std::uint64_t> rest =
        point + 1 < text.size() ? parse_unsigned(fraction.substr(0, 6), million) : std::nullopt;
    return whole && rest ? std::optional(*whole * million + *rest) : std::nullopt;
}

std::optional<std::string> parse_text(std::string_view text) {
    bool quoted = text.size() >= 2 && (text.front() == '\'' || text.front() == '"') &&
                  text.back() == text.front();
    std::string inside = quoted ? std::string(text.substr(1, text.size() - 2)) : "";
    bool plain = quoted && inside.find_first_of("\\'\"\n") == std::string::npos;
    return plain ? std::optional(inside) : std::nullopt;
}

[[noreturn]] void refuse(ErrorKind kind, const std::string& annotation, const std::string& why) {
    throw_error(kind, "/annotations/" + printable(annotation) + ": " + why);
}

UnitProperty parse_property(const std::string& annotation, const std::string& value) {
    std::string name = annotation.substr(annotation_prefix.size());
    bool seconds = name.ends_with("Sec") && !name.ends_with("USec");
    if (seconds) {
        name.insert(name.size() - 3, "U");
    }
    const auto* found = std::find_if(allowed_properties.begin(), allowed_properties.end(),
                                     [&](const Allowed& entry) { return entry.name == name; });
    if (found == allowed_properties.end()) {
        refuse(ErrorKind::denied, annotation,
               "not one of the properties that an annotation may set (TimeoutStopUSec, "
               "CollectMode, Memory*, CPU*, Tasks*, IO*, ManagedOOM*); remove it");
    }
    if (found->type == Type::boolean && (value == "true" || value == "false")) {
        return {name, value == "true"};
    }
    if (std::optional<std::string> text = parse_text(value); found->type == Type::text && text) {
        return {name, *text};
    }
    bool number = found->type == Type::number || found->type == Type::microseconds;
    std::optional<std::uint64_t> amount = seconds ? parse_seconds(value) : parse_number(value);
    if (!number || !amount) {
        refuse(ErrorKind::invalid_config, annotation,
               "\"" + printable(value) +
                   "\" is not a value of its type: \"uint64 5\", "
                   "\"'text'\" or \"true\"");
    }
    return {name, *amount};
}

bool is_unit_character(char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == ':' ||
           c == '-' || c == '_' || c == '.';
}

/// As systemd-escape(1) does it, but for '-', which separates prefix and name.
std::string escape_unit(std::string_view text) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string escaped;
    for (char c : text) {
        if (is_unit_character(c)) {
            escaped += c;
        } else {
            auto byte = static_cast<unsigned char>(c);
            escaped += {'\\', 'x', digits[byte >> 4U], digits[byte & 0xfU]};
        }
    }
    return escaped;
}

void require_slice(const std::string& slice) {
    bool valid = slice.ends_with(".slice") && slice.size() > 6 && slice.front() != '.' &&
                 slice.find("--") == std::string::npos &&
                 std::all_of(slice.begin(), slice.end(),
                             [](char c) { return is_unit_character(c) || c == '\\' || c == '@'; });
    bool dashes = slice != "-.slice" && (slice.front() == '-' || slice.ends_with("-.slice"));
    if (!valid || dashes) {
        throw_error(ErrorKind::invalid_config, "/linux/cgroupsPath: \"" + printable(slice) +
                                                   "\" is not the name of a slice such as "
                                                   "\"user.slice\" or \"machine-web.slice\"");
    }
}

/// With BFQ systemd takes those of the devices away when it writes the other again.
void add_io_weights(const spec::BlockIo& io, std::vector<UnitProperty>& properties) {
    if (io.weight.value_or(0) != 0) {
        properties.push_back({"IOWeight", io_weight(*io.weight)});
    }
    for (const spec::WeightDevice& device : io.weight_devices) {
        if (device.weight.value_or(0) != 0) {
            properties.push_back(
                {"IODeviceWeight",
                 DeviceValue{"/dev/block/" + device_number(device.major, device.minor),
                             io_weight(*device.weight)}});
        }
    }
}

} // namespace

std::vector<UnitProperty> make_unit_limits(const spec::Resources& resources) {
    std::vector<UnitProperty> properties;
    if (resources.memory) {
        add_memory(*resources.memory, properties);
    }
    if (resources.cpu) {
        add_cpu(*resources.cpu, properties);
    }
    if (resources.pids_limit) {
        // 0 is no value for systemd; the file gets it afterwards.
        properties.push_back(
            {"TasksMax", std::max<std::uint64_t>(1, limit_value(*resources.pids_limit))});
    }
    if (resources.block_io) {
        add_io_weights(*resources.block_io, properties);
    }
    add_unified(resources.unified, properties);
    return properties;
}

std::vector<UnitProperty>
make_unit_properties(const std::map<std::string, std::string>& annotations,
                     const std::vector<UnitProperty>& limits) {
    std::vector<UnitProperty> properties;
    for (auto at = annotations.lower_bound(std::string(annotation_prefix));
         at != annotations.end() && at->first.starts_with(annotation_prefix); ++at) {
        UnitProperty property = parse_property(at->first, at->second);
        bool limited = std::any_of(limits.begin(), limits.end(), [&](const UnitProperty& limit) {
            return limit.name == property.name;
        });
        if (limited) {
            refuse(ErrorKind::denied, at->first,
                   "/linux/resources sets this limit already, and an annotation does not change "
                   "it; remove one of the two");
        }
        properties.push_back(std::move(property));
    }
    return properties;
}

ScopeName make_scope_name(const std::string& path, const std::string& id) {
    constexpr std::size_t longest = 255;
    ScopeName name;
    std::vector<std::string_view> parts = split(path, ':');
    if (path.empty()) {
        parts = {"", "coracle", id};
    }
    if (parts.size() != 3 || parts[2].empty()) {
        throw_error(ErrorKind::invalid_config,
                    "/linux/cgroupsPath: expected cgroupsPath to be of format "
                    "\"slice:prefix:name\" for systemd cgroups, got \"" +
                        printable(path) +
                        "\" instead; without --systemd-cgroup it is a path of cgroupfs");
    }
    if (parts[2].ends_with(".slice")) {
        throw_error(ErrorKind::unsupported, "/linux/cgroupsPath: \"" + printable(path) +
                                                "\" names a slice, and a container is a scope");
    }
    name.slice = parts[0] == "-" ? "-.slice" : std::string(parts[0]);
    if (!name.slice.empty()) {
        require_slice(name.slice);
    }
    name.unit = parts[1].empty() ? escape_unit(parts[2])
                                 : escape_unit(parts[1]) + "-" + escape_unit(parts[2]);
    name.unit += ".scope";
    if (name.unit.size() > longest || name.unit.front() == '.') {
        throw_error(ErrorKind::invalid_config,
                    "/linux/cgroupsPath: \"" + printable(name.unit) +
                        "\" is no name for a unit: 255 bytes at most, no dot in front");
    }
    return name;
}

} // namespace coracle::plan
