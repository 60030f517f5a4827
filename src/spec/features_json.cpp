#include "coracle/spec/documents.h"

#include "coracle/base/names.h"
#include "coracle/spec/annotations.h"
#include "coracle/spec/config.h"
#include "coracle/spec/mount_options.h"
#include "coracle/spec/process_names.h"
#include "coracle/spec/seccomp_names.h"
#include "spec/json_writer_private.h"

#include <algorithm>

namespace coracle::spec {

namespace {

void write_switch(json::Writer& writer, std::string_view name, bool enabled) {
    writer.key(name).begin_object().key("enabled").boolean(enabled).end_object();
}

void write_namespaces(json::Writer& writer) {
    std::vector<std::string> names;
    for (const NamespaceKind kind : namespace_kinds()) {
        names.emplace_back(name_of(kind));
    }
    std::sort(names.begin(), names.end());
    writer.key("namespaces").strings(names);
}

void write_cgroup(json::Writer& writer) {
    writer.key("cgroup").begin_object();
    writer.key("v1").boolean(false);
    for (const char* name : {"v2", "systemd", "systemdUser", "rdma"}) {
        writer.key(name).boolean(true);
    }
    writer.end_object();
}

void write_seccomp(json::Writer& writer) {
    writer.key("seccomp").begin_object();
    writer.key("enabled").boolean(true);
    writer.key("actions").strings(seccomp_actions());
    writer.key("operators").strings(seccomp_operators());
    writer.key("archs").strings(seccomp_architectures());
    writer.key("knownFlags").strings(seccomp_flags());
    writer.key("supportedFlags").strings(seccomp_flags());
    writer.end_object();
}

void write_linux(json::Writer& writer, const BuildFeatures& build) {
    writer.key("linux").begin_object();
    write_namespaces(writer);
    writer.key("capabilities").strings(build.capabilities);
    write_cgroup(writer);
    write_seccomp(writer);
    write_switch(writer, "apparmor", true);
    write_switch(writer, "selinux", true);
    write_switch(writer, "intelRdt", true);
    writer.key("mountExtensions").begin_object();
    write_switch(writer, "idmap", true);
    writer.end_object();
    write_switch(writer, "netDevices", true);
    writer.key("memoryPolicy").begin_object();
    writer.key("modes").strings(names_of(memory_policy_modes()));
    writer.key("flags").strings(names_of(memory_policy_flags()));
    writer.end_object();
    writer.end_object();
}

} // namespace

std::string write_features(const BuildFeatures& build) {
    json::Writer writer(json::Layout::two_blanks);
    writer.begin_object();
    writer.key("ociVersionMin").string("1.0.0");
    writer.key("ociVersionMax").string("1.3.0");
    writer.key("hooks").strings(hook_kinds());
    writer.key("mountOptions").strings(known_mount_options());
    write_linux(writer, build);
    writer.key("annotations").begin_object();
    writer.key("coracle.commit").string(build.commit);
    writer.key("coracle.version").string(build.version);
    writer.key("io.github.seccomp.libseccomp.version").string(build.libseccomp_version);
    writer.end_object();
    writer.key("potentiallyUnsafeConfigAnnotations").strings(unsafe_annotations());
    writer.end_object();
    return writer.finish();
}

} // namespace coracle::spec
