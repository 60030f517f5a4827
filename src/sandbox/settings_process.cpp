#include "settings_private.h"

#include "coracle/base/names.h"
#include "coracle/base/text.h"
#include "coracle/sandbox/egress.h"
#include "coracle/sandbox/network.h"
#include "coracle/sandbox/seccomp_profiles.h"

#include <algorithm>
#include <array>
#include <limits>

namespace coracle::sandbox {

namespace {

std::uint32_t parse_id(const std::string& value, std::string_view text) {
    std::optional<std::uint64_t> id = parse_unsigned(text, UINT32_MAX - 1);
    if (!id) {
        refuse(value, "must be UID or UID:GID, in numbers");
    }
    return static_cast<std::uint32_t>(*id);
}

void set_user(Options& options, const std::string& value, const Origin& /*origin*/) {
    std::size_t colon = value.find(':');
    options.uid = parse_id(value, std::string_view(value).substr(0, colon));
    options.gid = colon == std::string::npos
                      ? options.uid
                      : parse_id(value, std::string_view(value).substr(colon + 1));
}

void require_name(const std::string& value, const std::string& name) {
    bool valid = !name.empty() && name.find('=') == std::string::npos;
    if (!valid) {
        refuse(value, "not the name of a variable");
    }
}

void add_variable(Options& options, const std::string& value, const Origin& /*origin*/) {
    std::size_t equals = value.find('=');
    if (equals == std::string::npos || equals == 0) {
        refuse(value, "must be NAME=VALUE; the caller's value is given by pass-env");
    }
    options.environment[value.substr(0, equals)] = value.substr(equals + 1);
}

void add_capability(Options& options, const std::string& value, const Origin& /*origin*/) {
    for (std::string_view word : split(value, ',')) {
        std::string name = to_lower(word);
        if (name == "all") {
            for (int number = 0; number < capability_count(); ++number) {
                options.capabilities.emplace_back(capability_name(number));
            }
            continue;
        }
        std::optional<int> number =
            find_capability(name.starts_with("cap_") ? name : "cap_" + name);
        if (!number) {
            refuse(value, "no capability is called " + printable(word) + ": see capabilities(7)");
        }
        options.capabilities.emplace_back(capability_name(*number));
    }
}

/// With commas between them; "none" adds nothing.
void add_destinations(Options& options, const std::string& value, const Origin& /*from*/) {
    options.filtered = true;
    for (std::string_view word : split(value, ',')) {
        if (word != "none") {
            options.egress.push_back(parse_destination(std::string(word)));
        }
    }
}

/// One of `words`, by its place.
std::size_t choose(const std::string& value, const std::vector<const char*>& words) {
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (value == words[i]) {
            return i;
        }
    }
    std::string list;
    for (const char* word : words) {
        list += (list.empty() ? "" : ", ") + std::string(word);
    }
    refuse(value, "must be one of " + list);
}

} // namespace

const std::vector<Setting>& process_settings() {
    using Kind = SettingKind;
    static const std::vector<Setting> all{
        {"env", Kind::list, "NAME=VALUE", "a variable of the environment", add_variable},
        {"pass-env", Kind::list, "NAME", "pass the caller's variable on",
         [](Options& o, const std::string& v, const Origin& /*from*/) {
             require_name(v, v);
             o.passed_environment.push_back(v);
         }},
        {"clear-env", Kind::flag, "", "not even PATH, HOME, TERM, LANG and the like",
         [](Options& o, const std::string& v, const Origin& /*from*/) {
             o.clear_environment = v == "true";
         }},
        {"user", Kind::value, "UID[:GID]", "whom the caller's files belong to in the sandbox",
         set_user},
        {"ids", Kind::value, "own|ranges", "map the caller's ids alone, or subuid(5) ranges too",
         [](Options& o, const std::string& v, const Origin& /*from*/) {
             o.ids = choose(v, {"own", "ranges"}) == 0 ? Ids::own : Ids::ranges;
         }},
        {"hostname", Kind::value, "NAME", "the name of the host in the sandbox",
         [](Options& o, const std::string& v, const Origin& /*from*/) { o.hostname = v; }},
        {"chdir", Kind::value, "DIR", "the directory to start in",
         [](Options& o, const std::string& v, const Origin& from) {
             o.directory = resolve(v, from);
         },
         ValueForm::path},
        {"tty", Kind::flag, "", "a terminal of its own",
         [](Options& o, const std::string& v, const Origin& /*from*/) {
             o.terminal = v == "true";
         }},
        {"cap", Kind::list, "NAME", "keep a capability over the sandbox; all: every one",
         add_capability},
        {"net", Kind::value, "none|host|pasta",
         "the network; none: a loopback device; pasta: its own, that leads out through pasta(1)",
         [](Options& o, const std::string& v, const Origin& /*from*/) {
             constexpr std::array<Network, 3> networks{Network::none, Network::host,
                                                       Network::pasta};
             o.network = networks.at(choose(v, {"none", "host", "pasta"}));
         }},
        {"publish", Kind::list, "[ADDR:]PORT[-PORT][:PORT[-PORT]][/udp]",
         "with net pasta: a port of the host, of 127.0.0.1 by default, leads into the sandbox",
         [](Options& o, const std::string& v, const Origin& /*from*/) {
             o.published.push_back(parse_published_port(v));
         }},
        {"egress", Kind::list, "none|DEST",
         "with net pasta: send to these alone: any, dns, HOST or ADDRESS[/PREFIX], with "
         "[:PORT[-PORT]][/tcp|/udp]",
         add_destinations},
    };
    return all;
}

const std::vector<Setting>& wall_settings() {
    using Kind = SettingKind;
    static const std::vector<Setting> all{
        {"seccomp", Kind::list, "WORDS",
         "which system calls are allowed: default, strict, none, FILE, +NAME, -@GROUP",
         [](Options& o, const std::string& v, const Origin& from) {
             o.seccomp.push_back(is_seccomp_file(v) ? resolve(v, from) : v);
         },
         ValueForm::filter},
        {"landlock", Kind::value, "auto|off|required", "the second wall around files",
         [](Options& o, const std::string& v, const Origin& /*from*/) {
             constexpr std::array<Wall, 3> walls{Wall::as_far_as_possible, Wall::off,
                                                 Wall::required};
             o.landlock = walls.at(choose(v, {"auto", "off", "required"}));
         }},
        {"core-scheduling", Kind::value, "auto|off",
         "share no processor core with others at the same time",
         [](Options& o, const std::string& v, const Origin& /*from*/) {
             o.core_scheduling = choose(v, {"auto", "off"}) == 0;
         }},
        {"allow-userns", Kind::flag, "", "user namespaces may be made in the sandbox",
         [](Options& o, const std::string& v, const Origin& /*from*/) {
             o.nested_user_namespaces = v == "true";
         }},
        {"die-with-parent", Kind::flag, "", "end when the process that started coracle ends",
         [](Options& o, const std::string& v, const Origin& /*from*/) {
             o.die_with_parent = v == "true";
         }},
    };
    return all;
}

} // namespace coracle::sandbox
