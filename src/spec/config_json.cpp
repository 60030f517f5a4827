#include "coracle/spec/config_json.h"

#include "spec/config_json_private.h"
#include "spec/json_private.h"

namespace coracle::spec {

namespace {

using json::View;

Root parse_root(const View& view) {
    Root root;
    view.for_each_member([&](std::string_view key, const View& value) {
        if (key == "path") {
            root.path = value.as_string();
        } else if (key == "readonly") {
            root.readonly = value.as_bool();
        }
    });
    view.require_member("path");
    return root;
}

Mount parse_mount(const View& view) {
    Mount mount;
    view.for_each_member([&](std::string_view key, const View& value) {
        if (key == "destination") {
            mount.destination = value.as_string();
        } else if (key == "type") {
            mount.type = value.as_string();
        } else if (key == "source") {
            mount.source = value.as_string();
        } else if (key == "options") {
            mount.options = value.as_strings();
        } else if (key == "uidMappings") {
            mount.uid_mappings = parse_id_mappings(value);
        } else if (key == "gidMappings") {
            mount.gid_mappings = parse_id_mappings(value);
        }
    });
    view.require_member("destination");
    return mount;
}

Hook parse_hook(const View& view) {
    Hook hook;
    view.for_each_member([&](std::string_view key, const View& value) {
        if (key == "path") {
            hook.path = value.as_string();
        } else if (key == "args") {
            hook.args = value.as_strings();
        } else if (key == "env") {
            hook.env = value.as_strings();
        } else if (key == "timeout") {
            hook.timeout = value.as_int32();
        }
    });
    view.require_member("path");
    return hook;
}

} // namespace

Hooks parse_hooks(const View& view) {
    Hooks hooks;
    view.for_each_member([&](std::string_view key, const View& value) {
        if (key == "prestart") {
            hooks.prestart = value.as_vector(parse_hook);
        } else if (key == "createRuntime") {
            hooks.create_runtime = value.as_vector(parse_hook);
        } else if (key == "createContainer") {
            hooks.create_container = value.as_vector(parse_hook);
        } else if (key == "startContainer") {
            hooks.start_container = value.as_vector(parse_hook);
        } else if (key == "poststart") {
            hooks.poststart = value.as_vector(parse_hook);
        } else if (key == "poststop") {
            hooks.poststop = value.as_vector(parse_hook);
        }
    });
    return hooks;
}

std::vector<IdMapping> parse_id_mappings(const View& view) {
    return view.as_vector([](const View& element) {
        IdMapping mapping;
        element.for_each_member([&](std::string_view key, const View& value) {
            if (key == "containerID") {
                mapping.container_id = value.as_uint32();
            } else if (key == "hostID") {
                mapping.host_id = value.as_uint32();
            } else if (key == "size") {
                mapping.size = value.as_uint32();
            }
        });
        element.require_member("containerID");
        element.require_member("hostID");
        element.require_member("size");
        return mapping;
    });
}

std::map<std::string, std::string> parse_string_map(const View& view) {
    std::map<std::string, std::string> strings;
    view.for_each_member(
        [&](std::string_view key, const View& value) { strings.emplace(key, value.as_string()); });
    return strings;
}

Process parse_process_document(std::string_view text) {
    const json::Document document(text, "process document");
    return parse_process(document.root());
}

Config parse_config(std::string_view text) {
    const json::Document document(text, "config.json");
    const View root = document.root();
    Config config;
    root.for_each_member([&](std::string_view key, const View& value) {
        if (key == "ociVersion") {
            config.oci_version = value.as_string();
        } else if (key == "root") {
            config.root = parse_root(value);
        } else if (key == "process") {
            config.process = parse_process(value);
        } else if (key == "hostname") {
            config.hostname = value.as_string();
        } else if (key == "domainname") {
            config.domainname = value.as_string();
        } else if (key == "mounts") {
            config.mounts = value.as_vector(parse_mount);
        } else if (key == "hooks") {
            config.hooks = parse_hooks(value);
        } else if (key == "annotations") {
            config.annotations = parse_string_map(value);
        } else if (key == "linux") {
            config.linux_ = parse_linux(value);
        }
    });
    root.require_member("ociVersion");
    return config;
}

} // namespace coracle::spec
