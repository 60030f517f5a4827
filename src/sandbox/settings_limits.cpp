#include "settings_private.h"

#include "coracle/base/duration.h"
#include "coracle/base/names.h"
#include "coracle/base/size.h"
#include "coracle/base/text.h"

#include <limits>

namespace coracle::sandbox {

namespace {

void set_memory(Options& options, const std::string& value, const Origin& /*origin*/) {
    options.memory = parse_size(value, "the limit");
    if (!options.memory || *options.memory == 0 || *options.memory < -1) {
        refuse(value, "must be above 0, or -1 for no limit");
    }
}

void set_pids(Options& options, const std::string& value, const Origin& /*origin*/) {
    std::optional<std::uint64_t> count = parse_unsigned(value, 4194304);
    if (!count || *count == 0) {
        refuse(value, "must be a number of processes, 1 to 4194304");
    }
    options.pids = static_cast<std::int64_t>(*count);
}

/// "2", "1.5", ".5". std::from_chars for a double would make each verb load the mathematical
/// library.
std::optional<double> parse_decimal(std::string_view text) {
    double result = 0;
    double place = 1;
    bool is_fraction = false;
    std::size_t digits = 0;
    for (const char c : text) {
        if (c == '.' && !is_fraction) {
            is_fraction = true;
            continue;
        }
        if (c < '0' || c > '9') {
            return std::nullopt;
        }
        ++digits;
        place = is_fraction ? place / 10 : place;
        result = is_fraction ? result + (c - '0') * place : result * 10 + (c - '0');
    }
    return digits == 0 ? std::nullopt : std::optional(result);
}

void set_cpus(Options& options, const std::string& value, const Origin& /*origin*/) {
    std::optional<double> cpus = parse_decimal(value);
    if (!cpus || *cpus < 0.01 || *cpus > 8192) {
        refuse(value, "must be a number of processors such as 1.5, at least 0.01");
    }
    options.cpus = *cpus;
}

std::uint64_t parse_limit(const std::string& value, std::string_view text) {
    if (text == "unlimited" || text == "infinity") {
        return std::numeric_limits<std::uint64_t>::max();
    }
    std::optional<std::uint64_t> number =
        parse_unsigned(text, std::numeric_limits<std::uint64_t>::max());
    if (!number) {
        refuse(value, "must be SOFT or SOFT:HARD, each a number or unlimited");
    }
    return *number;
}

void add_limit(Options& options, const std::string& type, const std::string& value,
               std::string_view limits) {
    std::size_t colon = limits.find(':');
    Rlimit limit;
    limit.type = type;
    limit.soft = parse_limit(value, limits.substr(0, colon));
    limit.hard =
        colon == std::string_view::npos ? limit.soft : parse_limit(value, limits.substr(colon + 1));
    if (limit.soft > limit.hard) {
        refuse(value, "the soft limit is above the hard one");
    }
    std::erase_if(options.rlimits, [&](const Rlimit& other) { return other.type == type; });
    options.rlimits.push_back(std::move(limit));
}

void add_named_limit(Options& options, const std::string& value, const Origin& /*origin*/) {
    std::size_t equals = value.find('=');
    if (equals == std::string::npos) {
        refuse(value, "must be NAME=SOFT[:HARD], such as core=0");
    }
    std::string type = "RLIMIT_";
    for (char c : value.substr(0, equals)) {
        type += static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
    }
    if (!find_rlimit(type)) {
        refuse(value, "no limit has that name: see getrlimit(2)");
    }
    add_limit(options, type, value, std::string_view(value).substr(equals + 1));
}

} // namespace

const std::vector<Setting>& limit_settings() {
    using Kind = SettingKind;
    static const std::vector<Setting> all{
        {"memory", Kind::value, "SIZE", "the most memory that all processes have, such as 1G",
         set_memory},
        {"pids", Kind::value, "N", "the most processes and threads", set_pids},
        {"cpus", Kind::value, "N", "the most processors that are kept busy, such as 1.5", set_cpus},
        {"timeout", Kind::value, "DURATION", "end it after that time, such as 10m; exit code 124",
         [](Options& o, const std::string& v, const Origin& /*from*/) {
             o.timeout = parse_duration(v, "the time");
         }},
        {"nofile", Kind::value, "SOFT[:HARD]", "the most open files of a process",
         [](Options& o, const std::string& v, const Origin& /*from*/) {
             add_limit(o, "RLIMIT_NOFILE", v, v);
         }},
        {"rlimit", Kind::list, "NAME=SOFT[:HARD]", "a limit of getrlimit(2), such as core=0",
         add_named_limit},
    };
    return all;
}

} // namespace coracle::sandbox
