#pragma once

#include "coracle/base/error.h"
#include "coracle/plan/make_launch_plan.h"
#include "coracle/spec/config_json.h"
#include "coracle/spec/documents.h"

#include <functional>
#include <string>

/// Fake machines and small configs: planning is pure, so that no machine is needed.
namespace coracle::test {

/// Real root in the initial user namespace.
inline host::Facts rootful() {
    host::Facts facts;
    facts.privileged = true;
    facts.may_raise_limits = true;
    facts.bounding_capabilities = (std::uint64_t{1} << 41) - 1;
    facts.last_capability = 40;
    facts.cgroup.problem = "no cgroup2 here";
    return facts;
}

/// The same caller on a host with systemd and cgroup v2.
inline host::Facts with_systemd(host::Facts facts) {
    const bool system = facts.euid == 0 && facts.initial_user_namespace;
    facts.cgroup = {};
    facts.cgroup.mount_point = "/sys/fs/cgroup";
    facts.cgroup.unified = true;
    facts.cgroup.own = system ? "/user.slice/user-0.slice/session-1.scope"
                              : "/user.slice/user-1000.slice/session-2.scope";
    facts.cgroup.home = system ? "/user.slice/user-0.slice" : "";
    facts.cgroup.bus = system ? host::SystemdBus::system : host::SystemdBus::user;
    facts.cgroup.bus_path = system ? "/run/dbus/system_bus_socket" : "/run/user/1000/bus";
    return facts;
}

/// A host without systemd, where the caller has a cgroup to divide.
inline host::Facts with_cgroupfs(host::Facts facts) {
    facts.cgroup = {};
    facts.cgroup.mount_point = "/sys/fs/cgroup";
    facts.cgroup.unified = true;
    facts.cgroup.own = "/lxc/shell";
    facts.cgroup.home = "/lxc";
    facts.cgroup.bus_problem = "systemd does not run this host";
    return facts;
}

/// A plain user without ranges in /etc/subuid.
inline host::Facts rootless_bare() {
    host::Facts facts = rootful();
    facts.euid = 1000;
    facts.egid = 1000;
    facts.privileged = false;
    facts.may_raise_limits = false;
    facts.groups = {27, 1000};
    facts.oom_score_adj = 100;
    facts.id_ranges.search_path = "/usr/bin:/bin";
    return facts;
}

/// A plain user with ranges and the helpers that map them.
inline host::Facts rootless_subid() {
    host::Facts facts = rootless_bare();
    facts.id_ranges = {"alice",
                       {{100000, 65536}, {300000, 1000}},
                       {{200000, 65536}},
                       "/usr/bin/newuidmap",
                       "/usr/bin/newgidmap",
                       "/usr/bin:/bin"};
    return facts;
}

/// Root of a user namespace as `unshare -r` makes it.
inline host::Facts root_in_userns() {
    host::Facts facts = rootful();
    facts.initial_user_namespace = false;
    facts.setgroups_allowed = false;
    facts.may_raise_limits = false;
    facts.groups = {65534};
    return facts;
}

inline plan::LaunchOptions options() {
    plan::LaunchOptions options;
    options.id = "c1";
    options.bundle = "/bundles/c1";
    return options;
}

/// What `spec` writes, or with the facts of a plain user `spec --rootless`.
inline spec::Config template_config(const host::Facts& facts) {
    spec::TemplateOptions choice;
    choice.rootless = !facts.privileged;
    choice.host_uid = facts.euid;
    choice.host_gid = facts.egid;
    return spec::parse_config(spec::write_template(choice));
}

/// A case of one config on one machine, to be changed in one place.
struct Case {
    host::Facts facts;
    spec::Config config;
    plan::LaunchOptions options;

    [[nodiscard]] plan::LaunchPlan plan() const {
        return plan::make_launch_plan(config, facts, options);
    }
    [[nodiscard]] spec::Process& process() { return *config.process; }
    [[nodiscard]] spec::Linux& linux_() { return *config.linux_; }
    void add_mount(const spec::Mount& mount) { config.mounts.push_back(mount); }
};

inline Case make_case(const host::Facts& facts) {
    return {facts, template_config(facts), options()};
}

/// A config with the least that is planned without a word: two namespaces, a root, a process.
inline Case small_case(const host::Facts& facts = rootful()) {
    Case small{facts, {}, options()};
    small.config.oci_version = "1.3.0";
    small.config.root = spec::Root{"rootfs", false};
    small.config.process.emplace();
    small.config.process->cwd = "/";
    small.config.process->args = {"true"};
    small.config.linux_.emplace();
    small.config.linux_->namespaces = {{"mount", ""}, {"pid", ""}};
    if (!facts.privileged) {
        small.config.linux_->namespaces.push_back({"user", ""});
        small.config.linux_->uid_mappings = {{0, facts.euid, 1}};
        small.config.linux_->gid_mappings = {{0, facts.egid, 1}};
    }
    return small;
}

inline spec::Resources resources_of(const std::string& json) {
    return spec::parse_resources_document(json);
}

/// What the work throws, or "no error".
inline std::string error_of(const std::function<void()>& work) {
    try {
        work();
    } catch (const Error& error) {
        return error.text();
    }
    return "no error";
}

} // namespace coracle::test
