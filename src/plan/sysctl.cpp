#include "plan_private.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"

#include <algorithm>
#include <array>

namespace coracle::plan {

namespace {

/// The kind of namespace that a key belongs to; nothing for one of the whole host.
/// Source: runtime-spec config-linux.md#sysctl; ipc_namespaces(7), network_namespaces(7).
std::optional<NamespaceKind> find_namespace_of(std::string_view key) {
    constexpr std::array<std::string_view, 8> ipc_keys{
        "kernel/msgmax", "kernel/msgmnb", "kernel/msgmni", "kernel/sem",
        "kernel/shmall", "kernel/shmmax", "kernel/shmmni", "kernel/shm_rmid_forced"};
    if (key.starts_with("net/")) {
        return NamespaceKind::network;
    }
    if (key.starts_with("fs/mqueue/") ||
        std::find(ipc_keys.begin(), ipc_keys.end(), key) != ipc_keys.end()) {
        return NamespaceKind::ipc;
    }
    if (key == "kernel/domainname" || key == "kernel/hostname") {
        return NamespaceKind::uts;
    }
    if (key.starts_with("user/")) {
        return NamespaceKind::user;
    }
    return std::nullopt;
}

bool is_clean(std::string_view key) {
    for (std::string_view part : split(key, '/')) {
        if (!is_path_component(part)) {
            return false;
        }
    }
    return true;
}

/// "net.ipv4.ip_forward" or "net/ipv4/conf/eth0.1/x": the first separator decides, as sysctl(8).
std::string path_of(const std::string& key) {
    std::string path = key;
    std::size_t first = path.find_first_of("./");
    if (first != std::string::npos && path[first] == '.') {
        for (char& c : path) {
            c = c == '.' ? '/' : c == '/' ? '.' : c;
        }
    }
    return path;
}

} // namespace

std::vector<std::pair<std::string, std::string>> make_sysctls(const Inputs& inputs,
                                                              LaunchPlan& plan) {
    std::vector<std::pair<std::string, std::string>> sysctls;
    for (const auto& [key, value] : inputs.linux_.sysctl) {
        std::string pointer = "/linux/sysctl/" + printable(key);
        std::string path = path_of(key);
        std::optional<NamespaceKind> kind = find_namespace_of(path);
        if (!is_clean(path)) {
            throw_error(ErrorKind::invalid_config, pointer + ": not the name of a sysctl");
        }
        if (!kind) {
            throw_error(ErrorKind::denied,
                        pointer + ": belongs to the whole host and not to a namespace");
        }
        bool own = std::any_of(plan.namespaces.begin(), plan.namespaces.end(),
                               [&](const NamespacePlan& entry) { return entry.kind == *kind; });
        if (!own) {
            throw_error(ErrorKind::denied, pointer + ": would change the host: add a " +
                                               name_of(*kind) + " namespace");
        }
        plan.sysctl_namespaces.push_back(*kind);
        sysctls.emplace_back(std::move(path), value);
    }
    return sysctls;
}

} // namespace coracle::plan
