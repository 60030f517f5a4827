#include "host_view_private.h"
#include "make_bundle_private.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/spec/documents.h"

#include <algorithm>
#include <array>

namespace coracle::sandbox {

namespace {

constexpr const char* default_path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What is about the person at the terminal and their language, and says nothing of the host.
bool is_usual(const std::string& name) {
    constexpr std::array<std::string_view, 8> names{"PATH",  "TERM", "LANG",      "LANGUAGE",
                                                    "SHELL", "TZ",   "COLORTERM", "NO_COLOR"};
    return name.starts_with("LC_") || std::ranges::find(names, name) != names.end();
}

struct UserIds {
    std::uint32_t uid;
    std::uint32_t gid;
};

/// In the sandbox. With ranges the caller is 0 there, and owns what a root would.
UserIds user_of(const Options& options, const Surroundings& host) {
    bool is_root = options.ids == Ids::ranges;
    std::uint32_t gid = options.uid.value_or(is_root ? 0 : host.gid);
    return {options.uid.value_or(is_root ? 0 : host.uid), options.gid.value_or(gid)};
}

std::map<std::string, std::string> make_environment(const Options& options,
                                                    const Surroundings& host) {
    std::map<std::string, std::string> environment;
    if (!options.clear_environment) {
        for (const std::string& name : variable_names()) {
            if (is_usual(name)) {
                environment[name] = find_variable(name).value_or("");
            }
        }
        if (!options.rootfs.empty() || !environment.contains("PATH")) {
            environment["PATH"] = default_path;
        }
        environment["HOME"] = home_in(options, host);
        std::optional<std::string> user = find_variable("USER");
        if (user && options.rootfs.empty() && !options.uid) {
            environment["USER"] = *user;
            environment["LOGNAME"] = *user;
        }
    }
    for (const std::string& name : options.passed_environment) {
        std::optional<std::string> value = find_variable(name);
        if (!value) {
            throw_error(ErrorKind::usage,
                        "pass-env " + printable(name) + ": the caller has no such variable");
        }
        environment[name] = *value;
    }
    for (const auto& [name, value] : options.environment) {
        environment[name] = value;
    }
    return environment;
}

spec::Capabilities make_capabilities(const Options& options, bool is_root) {
    spec::Capabilities sets;
    sets.bounding = options.capabilities;
    sets.effective = options.capabilities;
    sets.permitted = options.capabilities;
    if (!is_root) { // else execve(2) takes them away: capabilities(7), ambient
        sets.inheritable = options.capabilities;
        sets.ambient = options.capabilities;
    }
    return sets;
}

spec::Resources make_resources(const Options& options) {
    constexpr std::int64_t period = 100000; // microseconds
    spec::Resources resources;
    if (options.memory) {
        spec::MemoryResources& memory = resources.memory.emplace();
        memory.limit = options.memory;
        memory.swap = options.memory; // both together: no swap beyond the limit
    }
    resources.pids_limit = options.pids;
    if (options.cpus) {
        spec::CpuResources& cpu = resources.cpu.emplace();
        cpu.period = period;
        // NOLINTNEXTLINE(bugprone-incorrect-roundings): it is positive; lround(3) is libm's
        cpu.quota = static_cast<std::int64_t>(*options.cpus * static_cast<double>(period) + 0.5);
    }
    return resources;
}

void add_namespaces(const Options& options, spec::Linux& result) {
    for (const char* type : {"user", "mount", "pid", "ipc", "uts", "cgroup"}) {
        result.namespaces.push_back({type, ""});
    }
    if (options.network != Network::host) {
        result.namespaces.push_back({"network", ""});
    }
}

} // namespace

std::string directory_in(const Options& options, const Surroundings& host) {
    if (!options.directory.empty()) {
        return options.directory;
    }
    if (!options.rootfs.empty()) {
        return "/";
    }
    // Below these the sandbox has something else, or nothing.
    for (const char* other : {"/run", "/dev", "/proc", "/sys"}) {
        if (is_in(host.directory, other)) {
            return "/";
        }
    }
    return host.directory;
}

spec::Process make_process(const Options& options, const Surroundings& host) {
    spec::Process process;
    process.args = options.command;
    process.cwd = directory_in(options, host);
    process.terminal = options.terminal;
    process.user.uid = user_of(options, host).uid;
    process.user.gid = user_of(options, host).gid;
    for (const auto& [name, value] : make_environment(options, host)) {
        process.env.push_back(name + "=" + value);
    }
    process.capabilities = make_capabilities(options, process.user.uid == 0);
    process.no_new_privileges = true;
    for (const Rlimit& limit : options.rlimits) {
        process.rlimits.push_back({limit.type, limit.hard, limit.soft});
    }
    return process;
}

spec::Linux make_linux(const Options& options, const Surroundings& host) {
    spec::Linux result;
    add_namespaces(options, result);
    auto [uid, gid] = user_of(options, host);
    if (options.ids == Ids::own) {
        result.uid_mappings = {{uid, host.uid, 1}};
        result.gid_mappings = {{gid, host.gid, 1}};
    }
    result.masked_paths = spec::default_masked_paths();
    result.masked_paths.insert(result.masked_paths.end(), options.hidden.begin(),
                               options.hidden.end());
    result.readonly_paths = spec::default_readonly_paths();
    if (options.memory || options.pids || options.cpus) {
        result.resources = make_resources(options);
    }
    return result;
}

} // namespace coracle::sandbox
