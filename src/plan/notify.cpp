#include "coracle/plan/make_launch_plan.h"

#include <algorithm>

namespace coracle::plan {

bool add_notify_socket(spec::Config& config, const std::string& socket) {
    constexpr const char* variable = "NOTIFY_SOCKET=";
    if (!config.process ||
        std::any_of(config.process->env.begin(), config.process->env.end(),
                    [&](const std::string& entry) { return entry.starts_with(variable); })) {
        return false;
    }
    spec::Mount mount;
    mount.destination = notify_socket_path;
    mount.type = "bind";
    mount.source = socket;
    mount.options = {"bind", "ro", "nosuid", "nodev", "noexec"};
    config.mounts.push_back(std::move(mount));
    config.process->env.push_back(std::string(variable) + notify_socket_path);
    return true;
}

} // namespace coracle::plan
