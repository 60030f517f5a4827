#include "coracle/spec/config_writer.h"

#include "spec/config_writer_private.h"

namespace coracle::spec {

namespace {

using json::Writer;

void write_mounts(Writer& writer, const std::vector<Mount>& mounts) {
    write_objects(writer, "mounts", mounts, [&](const Mount& mount) {
        writer.key("destination").string(mount.destination);
        write_text(writer, "type", mount.type);
        write_text(writer, "source", mount.source);
        write_texts(writer, "options", mount.options);
        write_id_mappings(writer, "uidMappings", mount.uid_mappings);
        write_id_mappings(writer, "gidMappings", mount.gid_mappings);
    });
}

void write_hooks_of(Writer& writer, std::string_view kind, const std::vector<Hook>& hooks) {
    write_objects(writer, kind, hooks, [&](const Hook& hook) {
        writer.key("path").string(hook.path);
        write_texts(writer, "args", hook.args);
        write_texts(writer, "env", hook.env);
        write_number(writer, "timeout", hook.timeout);
    });
}

void write_hooks(Writer& writer, const Hooks& hooks) {
    bool any = false;
    for (const std::vector<Hook>* list :
         {&hooks.prestart, &hooks.create_runtime, &hooks.create_container, &hooks.start_container,
          &hooks.poststart, &hooks.poststop}) {
        any = any || !list->empty();
    }
    if (!any) {
        return;
    }
    writer.key("hooks").begin_object();
    write_hooks_of(writer, "prestart", hooks.prestart);
    write_hooks_of(writer, "createRuntime", hooks.create_runtime);
    write_hooks_of(writer, "createContainer", hooks.create_container);
    write_hooks_of(writer, "startContainer", hooks.start_container);
    write_hooks_of(writer, "poststart", hooks.poststart);
    write_hooks_of(writer, "poststop", hooks.poststop);
    writer.end_object();
}

} // namespace

std::string write_config(const Config& config, ConfigLayout layout) {
    Writer writer(layout == ConfigLayout::tabs ? json::Layout::tabs : json::Layout::compact);
    writer.begin_object();
    writer.key("ociVersion").string(config.oci_version);
    write_object(writer, "root", config.root, [&](const Root& root) {
        writer.key("path").string(root.path);
        write_flag(writer, "readonly", root.readonly);
    });
    if (config.process) {
        writer.key("process");
        write_process(writer, *config.process);
    }
    write_text(writer, "hostname", config.hostname);
    write_text(writer, "domainname", config.domainname);
    write_mounts(writer, config.mounts);
    write_hooks(writer, config.hooks);
    if (!config.annotations.empty()) {
        writer.key("annotations").string_map(config.annotations);
    }
    if (config.linux_) {
        writer.key("linux");
        write_linux(writer, *config.linux_);
    }
    writer.end_object();
    return writer.finish();
}

} // namespace coracle::spec
