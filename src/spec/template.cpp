#include "coracle/spec/documents.h"

#include "spec/json_writer_private.h"

namespace coracle::spec {

namespace {

using json::Writer;

void write_process(Writer& writer) {
    const std::vector<std::string> capabilities{"CAP_AUDIT_WRITE", "CAP_KILL",
                                                "CAP_NET_BIND_SERVICE"};
    writer.key("process").begin_object();
    writer.key("terminal").boolean(true);
    writer.key("user").begin_object();
    writer.key("uid").integer(0);
    writer.key("gid").integer(0);
    writer.end_object();
    writer.key("args").strings(std::vector<std::string>{"sh"});
    writer.key("env").strings(std::vector<std::string>{
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"});
    writer.key("cwd").string("/");
    writer.key("capabilities").begin_object();
    writer.key("bounding").strings(capabilities);
    writer.key("effective").strings(capabilities);
    writer.key("permitted").strings(capabilities);
    writer.end_object();
    writer.key("rlimits").begin_array().begin_object();
    writer.key("type").string("RLIMIT_NOFILE");
    writer.key("hard").integer(1024);
    writer.key("soft").integer(1024);
    writer.end_object().end_array();
    writer.key("noNewPrivileges").boolean(true);
    writer.end_object();
}

struct MountTemplate {
    const char* destination;
    const char* type;
    const char* source;
    std::vector<std::string> options;
};

void write_mounts(Writer& writer, const TemplateOptions& options) {
    std::vector<MountTemplate> mounts{
        {"/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}},
        {"/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}},
        {"/dev/pts",
         "devpts",
         "devpts",
         {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"}},
        {"/dev/shm", "tmpfs", "shm", {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}},
        {"/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}},
        {"/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"}},
        {"/sys/fs/cgroup", "cgroup", "cgroup", {"nosuid", "noexec", "nodev", "relatime", "ro"}},
    };
    if (!options.rootless) {
        // The group tty; not mapped where one id is all there is.
        mounts[2].options.emplace_back("gid=5");
    }
    writer.key("mounts").begin_array();
    for (const MountTemplate& mount : mounts) {
        writer.begin_object();
        writer.key("destination").string(mount.destination);
        writer.key("type").string(mount.type);
        writer.key("source").string(mount.source);
        writer.key("options").strings(mount.options);
        writer.end_object();
    }
    writer.end_array();
}

void write_mapping(Writer& writer, std::string_view name, std::uint32_t host_id) {
    writer.key(name).begin_array().begin_object();
    writer.key("containerID").integer(0);
    writer.key("hostID").unsigned_integer(host_id);
    writer.key("size").integer(1);
    writer.end_object().end_array();
}

void write_namespaces(Writer& writer, const TemplateOptions& options) {
    std::vector<const char*> types{"pid", "network", "ipc", "uts", "mount", "cgroup"};
    if (options.rootless) {
        types.push_back("user");
    }
    writer.key("namespaces").begin_array();
    for (const char* type : types) {
        writer.begin_object().key("type").string(type).end_object();
    }
    writer.end_array();
}

/// Without privilege the kernel takes no device rule, so there the template has none.
void write_resources(Writer& writer) {
    writer.key("resources").begin_object();
    writer.key("devices").begin_array().begin_object();
    writer.key("allow").boolean(false);
    writer.key("access").string("rwm");
    writer.end_object().end_array();
    writer.end_object();
}

void write_linux(Writer& writer, const TemplateOptions& options) {
    const std::vector<std::string> masked_paths{
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
    const std::vector<std::string> readonly_paths{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
                                                  "/proc/sysrq-trigger"};
    writer.key("linux").begin_object();
    if (options.rootless) {
        write_mapping(writer, "uidMappings", options.host_uid);
        write_mapping(writer, "gidMappings", options.host_gid);
    } else {
        write_resources(writer);
    }
    write_namespaces(writer, options);
    writer.key("maskedPaths").strings(masked_paths);
    writer.key("readonlyPaths").strings(readonly_paths);
    writer.end_object();
}

} // namespace

std::string write_template(const TemplateOptions& options) {
    Writer writer(json::Layout::tabs);
    writer.begin_object();
    writer.key("ociVersion").string("1.3.0");
    write_process(writer);
    writer.key("root").begin_object();
    writer.key("path").string("rootfs");
    writer.key("readonly").boolean(true);
    writer.end_object();
    writer.key("hostname").string("coracle");
    write_mounts(writer, options);
    write_linux(writer, options);
    writer.end_object();
    return writer.finish();
}

} // namespace coracle::spec
