#include "coracle/base/error.h"
#include "coracle/base/names.h"
#include "coracle/base/text.h"
#include "coracle/spec/annotations.h"
#include "coracle/spec/landlock.h"
#include "plan_private.h"

#include <algorithm>

/// Walls behind those of the namespaces, which the config asks for by annotations.
namespace coracle::plan {

namespace {

constexpr std::uint64_t bit(unsigned number) {
    return std::uint64_t{1} << number;
}

// LANDLOCK_ACCESS_FS_*, LANDLOCK_ACCESS_NET_*, LANDLOCK_SCOPE_*: include/uapi/linux/landlock.h.
constexpr std::uint64_t fs_execute = bit(0);
constexpr std::uint64_t fs_write_file = bit(1);
constexpr std::uint64_t fs_read_file = bit(2);
constexpr std::uint64_t fs_read_dir = bit(3);
constexpr std::uint64_t fs_up_to_refer = bit(14) - 1;
constexpr std::uint64_t fs_truncate = bit(14);
constexpr std::uint64_t fs_ioctl_dev = bit(15);
constexpr std::uint64_t fs_of_files =
    fs_execute | fs_write_file | fs_read_file | fs_truncate | fs_ioctl_dev;
constexpr std::uint64_t net_bind = bit(0);
constexpr std::uint64_t net_connect = bit(1);
constexpr std::uint64_t scope_abstract_unix_socket = bit(0);
constexpr std::uint64_t scope_signal = bit(1);

/// The versions of the ABI that brought something, and Linux with them. Source: landlock(7).
constexpr int refer_abi = 2;
constexpr int truncate_abi = 3;
constexpr int net_abi = 4;
constexpr int ioctl_dev_abi = 5;
constexpr int scope_abi = 6;

constexpr unsigned cap_sys_resource = 24; // include/uapi/linux/capability.h
constexpr const char* nested_users_key = "user/max_user_namespaces";

const std::string* find_annotation(const spec::Config& config, std::string_view name) {
    auto found = config.annotations.find(std::string(name));
    return found == config.annotations.end() ? nullptr : &found->second;
}

std::string pointer_to(std::string_view annotation) {
    return "/annotations/" + std::string(annotation);
}

/// Says what a kernel of that version does not restrict.
class LandlockLacks {
  public:
    LandlockLacks(const host::LandlockFacts& facts, LaunchPlan& plan)
        : facts_(facts), plan_(plan) {}

    /// Whether the kernel has what `abi` brought; else a degradation.
    bool has(int abi, const char* member, const char* what, const char* linux_version) {
        if (facts_.abi >= abi) {
            return true;
        }
        std::string why = facts_.problem.empty()
                              ? "ABI " + std::to_string(facts_.abi) + " of this kernel's Landlock"
                              : facts_.problem;
        plan_.degradations.push_back({pointer_to(spec::landlock_annotation) + member,
                                      std::string(what) + " not restricted, which needs Linux " +
                                          linux_version + ": " + why});
        return false;
    }

  private:
    const host::LandlockFacts& facts_;
    LaunchPlan& plan_;
};

std::uint64_t rights_of(spec::LandlockAccess access) {
    switch (access) {
    case spec::LandlockAccess::read:
        return fs_read_file | fs_read_dir;
    case spec::LandlockAccess::read_execute:
        return fs_read_file | fs_read_dir | fs_execute;
    case spec::LandlockAccess::all:
        break;
    }
    return ~std::uint64_t{0};
}

/// Below ABI 2 the kernel refuses every rename and link between directories as soon as anything is
/// restricted, so nothing is.
void plan_landlock_fs(const std::vector<spec::LandlockRule>& rules, LandlockLacks& lacks,
                      LandlockPlan& landlock) {
    if (!lacks.has(refer_abi, "/fs", "files are", "5.19")) {
        return;
    }
    landlock.handled_fs = fs_up_to_refer;
    if (lacks.has(truncate_abi, "/fs", "truncate(2) is", "6.2")) {
        landlock.handled_fs |= fs_truncate;
    }
    if (lacks.has(ioctl_dev_abi, "/fs", "ioctl(2) of devices is", "6.10")) {
        landlock.handled_fs |= fs_ioctl_dev;
    }
    landlock.file_rights = fs_of_files & landlock.handled_fs;
    for (const spec::LandlockRule& rule : rules) {
        landlock.paths.push_back({rule.path, rights_of(rule.access) & landlock.handled_fs});
    }
}

void plan_landlock_net(const spec::LandlockPorts& ports, LandlockLacks& lacks,
                       LandlockPlan& landlock) {
    if (!lacks.has(net_abi, "/net", "ports are", "6.7")) {
        return;
    }
    landlock.handled_net = net_bind | net_connect;
    for (std::uint16_t port : ports.bind) {
        landlock.ports.push_back({port, net_bind});
    }
    for (std::uint16_t port : ports.connect) {
        landlock.ports.push_back({port, net_connect});
    }
}

std::optional<LandlockPlan> make_landlock(const Inputs& inputs, LaunchPlan& plan) {
    const std::string* text = find_annotation(inputs.config, spec::landlock_annotation);
    if (text == nullptr) {
        return std::nullopt;
    }
    spec::Landlock wanted = spec::parse_landlock(*text);
    LandlockLacks lacks(inputs.facts.landlock, plan);
    LandlockPlan landlock;
    if (wanted.fs) {
        plan_landlock_fs(*wanted.fs, lacks, landlock);
    }
    if (wanted.net) {
        plan_landlock_net(*wanted.net, lacks, landlock);
    }
    std::uint64_t scopes = (wanted.scope_abstract_unix_socket ? scope_abstract_unix_socket : 0) |
                           (wanted.scope_signal ? scope_signal : 0);
    if (scopes != 0 &&
        lacks.has(scope_abi, "/scope", "signals and abstract unix sockets are", "6.12")) {
        landlock.scoped = scopes;
    }
    bool empty = (landlock.handled_fs | landlock.handled_net | landlock.scoped) == 0;
    return empty ? std::nullopt : std::optional(std::move(landlock));
}

bool wants_core_scheduling(const Inputs& inputs) {
    const std::string* word = find_annotation(inputs.config, spec::core_scheduling_annotation);
    if (word == nullptr || *word == "false") {
        return false;
    }
    if (*word != "true") {
        throw_error(ErrorKind::invalid_config, pointer_to(spec::core_scheduling_annotation) + ": " +
                                                   printable(*word) + " must be true or false");
    }
    return true;
}

bool denies_nested_users(const Inputs& inputs) {
    const std::string* word = find_annotation(inputs.config, spec::nested_users_annotation);
    if (word != nullptr && *word != "deny") {
        throw_error(ErrorKind::invalid_config, pointer_to(spec::nested_users_annotation) + ": " +
                                                   printable(*word) + " must be deny");
    }
    return word != nullptr;
}

/// execve(2) gives a program of uid 0 what is in the bounding set, and forgets the signal then.
/// Source: capabilities(7), prctl(2).
bool gains_capabilities(const ProcessPlan& process) {
    CapabilityPlan sets = process.capabilities.value_or(CapabilityPlan{});
    return process.uid == 0 && !process.no_new_privileges &&
           ((sets.bounding | sets.inheritable) & ~sets.permitted) != 0;
}

} // namespace

bool needs_landlock(const spec::Config& config) {
    return find_annotation(config, spec::landlock_annotation) != nullptr;
}

void plan_walls(const Inputs& inputs, LaunchPlan& plan, ProcessPlan& process) {
    process.landlock = make_landlock(inputs, plan);
    process.own_core_cookie = wants_core_scheduling(inputs);
    // user_namespaces(7): the files below /proc/sys/user are for who has it in the namespace.
    if (denies_nested_users(inputs) && process.capabilities &&
        (process.capabilities->bounding & bit(cap_sys_resource)) != 0) {
        plan.degradations.push_back(
            {pointer_to(spec::nested_users_annotation),
             "the program may set the limit back: take CAP_SYS_RESOURCE out of "
             "/process/capabilities/bounding"});
    }
}

void deny_nested_users(const Inputs& inputs, const LaunchPlan& plan, InitPlan& init) {
    if (!denies_nested_users(inputs)) {
        return;
    }
    std::string pointer = pointer_to(spec::nested_users_annotation);
    if (plan.user_namespace != UserNamespace::made) {
        throw_error(ErrorKind::invalid_config,
                    pointer + ": would change a user namespace that others are in: add a new one "
                              "to /linux/namespaces");
    }
    if (std::any_of(init.sysctls.begin(), init.sysctls.end(),
                    [](const auto& entry) { return entry.first == nested_users_key; })) {
        throw_error(ErrorKind::invalid_config,
                    pointer + ": /linux/sysctl sets user.max_user_namespaces too: remove one");
    }
    init.sysctls.emplace_back(nested_users_key, "0");
}

void plan_parent_death(const Inputs& inputs, LaunchPlan& plan, ProcessPlan& process) {
    const std::string* word = find_annotation(inputs.config, spec::parent_death_annotation);
    if (word == nullptr) {
        return;
    }
    std::string pointer = pointer_to(spec::parent_death_annotation);
    std::optional<int> signal = find_signal(*word);
    if (!signal) {
        throw_error(ErrorKind::invalid_config,
                    pointer + ": " + printable(*word) + " is not a signal such as SIGKILL");
    }
    if (!inputs.options.attended) {
        throw_error(ErrorKind::unsupported,
                    pointer + ": only run without --detach stays until the container ends: use "
                              "that, or remove the annotation");
    }
    if (gains_capabilities(process)) {
        plan.degradations.push_back(
            {pointer, "the program loses it when it is executed, since it gains capabilities "
                      "then: set noNewPrivileges, or bounding as permitted"});
    }
    process.parent_death_signal = *signal;
}

} // namespace coracle::plan
