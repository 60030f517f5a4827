#include "coracle/spec/config_writer.h"
#include "coracle/spec/documents.h"

namespace coracle::spec {

namespace {

Process make_process() {
    Process process;
    process.terminal = true;
    process.args = {"sh"};
    process.env = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                   "TERM=xterm"};
    process.cwd = "/";
    Capabilities& sets = process.capabilities.emplace();
    sets.bounding = {"CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"};
    sets.effective = sets.bounding;
    sets.permitted = sets.bounding;
    process.rlimits = {{"RLIMIT_NOFILE", 1024, 1024}};
    process.no_new_privileges = true;
    return process;
}

Mount make_mount(const char* destination, const char* type, const char* source,
                 std::vector<std::string> options) {
    return {destination, type, source, std::move(options), {}, {}};
}

std::vector<Mount> make_mounts(const TemplateOptions& options) {
    std::vector<std::string> pts{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"};
    if (!options.rootless) {
        // The group tty; not mapped where one id is all there is.
        pts.emplace_back("gid=5");
    }
    return {
        make_mount("/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}),
        make_mount("/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}),
        make_mount("/dev/pts", "devpts", "devpts", std::move(pts)),
        make_mount("/dev/shm", "tmpfs", "shm",
                   {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}),
        make_mount("/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}),
        make_mount("/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"}),
        make_mount("/sys/fs/cgroup", "cgroup", "cgroup",
                   {"nosuid", "noexec", "nodev", "relatime", "ro"}),
    };
}

Linux make_linux(const TemplateOptions& options) {
    Linux result;
    for (const char* type : {"pid", "network", "ipc", "uts", "mount", "cgroup"}) {
        result.namespaces.push_back({type, ""});
    }
    if (options.rootless) {
        result.namespaces.push_back({"user", ""});
        result.uid_mappings = {{0, options.host_uid, 1}};
        result.gid_mappings = {{0, options.host_gid, 1}};
    } else {
        // Without privilege the kernel takes no device rule, so there the template has none.
        DeviceCgroupRule& rule = result.resources.emplace().devices.emplace_back();
        rule.access = "rwm";
    }
    result.masked_paths = default_masked_paths();
    result.readonly_paths = default_readonly_paths();
    return result;
}

} // namespace

std::vector<std::string> default_masked_paths() {
    return {
        "/proc/acpi",
        "/proc/asound",
        "/proc/interrupts",
        "/proc/kcore",
        "/proc/keys",
        "/proc/latency_stats",
        "/proc/sched_debug",
        "/proc/scsi",
        "/proc/timer_list",
        "/proc/timer_stats",
        "/sys/devices/virtual/powercap",
        "/sys/firmware",
    };
}

std::vector<std::string> default_readonly_paths() {
    return {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};
}

std::string write_template(const TemplateOptions& options) {
    Config config;
    config.oci_version = "1.3.0";
    config.root = Root{"rootfs", true};
    config.process = make_process();
    config.hostname = "coracle";
    config.mounts = make_mounts(options);
    config.linux_ = make_linux(options);
    return write_config(config, ConfigLayout::tabs);
}

} // namespace coracle::spec
