#include "coracle/spec/documents.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "spec/config_json_private.h"
#include "spec/json_private.h"
#include "spec/json_writer_private.h"

namespace coracle::spec {

namespace {

using json::View;

constexpr std::uint64_t record_version = 1;
constexpr std::size_t longest_id = 1024;

/// JSON cannot hold such bytes, and a path that comes back changed names another file.
void require_utf8(std::string_view member, const std::string& value) {
    constexpr std::string_view replacement = "\xef\xbf\xbd";
    const auto count = [&](const std::string& text) {
        std::size_t found = 0;
        for (std::size_t at = text.find(replacement); at != std::string::npos;
             at = text.find(replacement, at + 1)) {
            ++found;
        }
        return found;
    };
    if (count(escape_json(value)) != count(value)) {
        throw_error(ErrorKind::invalid_config, "the " + std::string(member) + " \"" +
                                                   printable(value) +
                                                   "\" is not UTF-8; give it another name");
    }
}

bool is_id_character(char c) noexcept {
    const bool letter_or_digit =
        (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    return letter_or_digit || c == '_' || c == '+' || c == '.' || c == '-';
}

void require_id(const View& view, const std::string& id) {
    bool valid = !id.empty() && id.size() <= longest_id && id.front() != '.';
    for (const char c : id) {
        valid = valid && is_id_character(c);
    }
    if (!valid) {
        view.fail("must be a container id: letters, digits and _+.- only, no dot in front");
    }
}

std::string parse_absolute(const View& view) {
    std::string path = view.as_string();
    if (path.empty() || path.front() != '/') {
        view.fail("must be an absolute path");
    }
    return path;
}

/// A path that may be empty: it stands for "none".
std::string parse_optional_absolute(const View& view) {
    return view.as_string().empty() ? std::string() : parse_absolute(view);
}

/// "/a/b", or "".
std::string parse_cgroup_path(const View& view) {
    std::string path = view.as_string();
    if (path.empty()) {
        return path;
    }
    const bool valid = path.size() > 1 && clean_absolute(path) == path;
    if (!valid) {
        view.fail("must be the path of a cgroup below the root");
    }
    return path;
}

CgroupRecord parse_cgroup(const View& view) {
    CgroupRecord cgroup;
    view.for_each_member([&](std::string_view key, const View& value) {
        if (key == "path") {
            cgroup.path = parse_cgroup_path(value);
        } else if (key == "id") {
            cgroup.id = value.as_uint64();
        } else if (key == "sub") {
            cgroup.sub = parse_cgroup_path(value);
        } else if (key == "scope") {
            cgroup.scope = value.as_string();
        } else if (key == "system") {
            cgroup.system = value.as_bool();
        } else if (key == "busPath") {
            cgroup.bus_path = parse_absolute(value);
        }
    });
    view.require_member("path");
    const bool fits = cgroup.path.empty() || cgroup.path.ends_with("/" + cgroup.scope);
    if (!cgroup.scope.empty() &&
        (!fits || !cgroup.scope.ends_with(".scope") || cgroup.bus_path.empty())) {
        view.fail("has a unit that is not that of the cgroup");
    }
    if (cgroup.path.empty() && cgroup.scope.empty()) {
        view.fail("has neither a path nor a unit");
    }
    return cgroup;
}

/// Directories below resctrl's mount point.
std::vector<std::string> parse_resctrl(const View& view) {
    std::vector<std::string> groups = view.as_strings();
    for (const std::string& group : groups) {
        for (const std::string_view part : split(group, '/')) {
            if (!is_path_component(part)) {
                view.fail("is not a list of relative paths");
            }
        }
    }
    return groups;
}

void require_absolute_paths(const View& view, const Hooks& hooks) {
    for (const std::vector<Hook>* list :
         {&hooks.start_container, &hooks.poststart, &hooks.poststop}) {
        for (const Hook& hook : *list) {
            if (!hook.path.starts_with('/') || hook.timeout.value_or(1) <= 0) {
                view.fail("must be hooks with absolute paths and positive timeouts");
            }
        }
    }
}

void write_hooks(json::Writer& writer, const char* kind, const std::vector<Hook>& hooks) {
    if (hooks.empty()) {
        return;
    }
    writer.key(kind).begin_array();
    for (const Hook& hook : hooks) {
        writer.begin_object();
        writer.key("path").string(hook.path);
        writer.key("args").strings(hook.args);
        writer.key("env").strings(hook.env);
        if (hook.timeout) {
            writer.key("timeout").integer(*hook.timeout);
        }
        writer.end_object();
    }
    writer.end_array();
}

void write_cgroup(json::Writer& writer, const CgroupRecord& cgroup) {
    writer.key("cgroup").begin_object();
    writer.key("path").string(cgroup.path);
    writer.key("id").unsigned_integer(cgroup.id);
    writer.key("sub").string(cgroup.sub);
    if (!cgroup.scope.empty()) {
        writer.key("scope").string(cgroup.scope);
        writer.key("system").boolean(cgroup.system);
        writer.key("busPath").string(cgroup.bus_path);
    }
    writer.end_object();
}

ListenerRecord parse_listener(const View& view) {
    ListenerRecord listener;
    view.for_each_member([&](std::string_view key, const View& value) {
        if (key == "path") {
            listener.path = parse_absolute(value);
        } else if (key == "metadata") {
            listener.metadata = value.as_string();
        }
    });
    view.require_member("path");
    return listener;
}

std::int32_t parse_pid(const View& view) {
    const std::int32_t pid = view.as_int32();
    if (pid < 0) {
        view.fail("must not be negative");
    }
    return pid;
}

/// Members about processes; other keys are ignored.
void parse_process_member(Record& record, std::string_view key, const View& value) {
    if (key == "creatorPid") {
        record.creator_pid = parse_pid(value);
    } else if (key == "creatorStartTime") {
        record.creator_start_time = value.as_uint64();
    } else if (key == "pid") {
        record.pid = parse_pid(value);
    } else if (key == "startTime") {
        record.start_time = value.as_uint64();
    } else if (key == "cgroup") {
        record.cgroup = parse_cgroup(value);
    } else if (key == "noCgroup") {
        record.no_cgroup = value.as_string();
    } else if (key == "resctrl") {
        record.resctrl = parse_resctrl(value);
    } else if (key == "sessionKeyring") {
        record.session_keyring = value.as_bool();
    }
}

void parse_member(Record& record, std::string_view key, const View& value) {
    if (key == "ociVersion") {
        record.oci_version = value.as_string();
    } else if (key == "id") {
        record.id = value.as_string();
        require_id(value, record.id);
    } else if (key == "bundle") {
        record.bundle = parse_absolute(value);
    } else if (key == "rootfs") {
        record.rootfs = parse_absolute(value);
    } else if (key == "created") {
        record.created = value.as_string();
    } else if (key == "owner") {
        record.owner = value.as_uint32();
    } else if (key == "bootId") {
        record.boot_id = value.as_string();
    } else if (key == "pidFile") {
        record.pid_file = parse_optional_absolute(value);
    } else if (key == "degradations") {
        record.degradations = value.as_strings();
    } else if (key == "annotations") {
        record.annotations = parse_string_map(value);
    } else if (key == "seccompListener") {
        record.seccomp_listener = parse_listener(value);
    } else if (key == "hooks") {
        record.hooks = parse_hooks(value);
        require_absolute_paths(value, record.hooks);
    } else {
        parse_process_member(record, key, value);
    }
}

} // namespace

std::string write_record(const Record& record) {
    require_utf8("bundle", record.bundle);
    require_utf8("rootfs", record.rootfs);
    require_utf8("pid file", record.pid_file);
    json::Writer writer(json::Layout::compact);
    writer.begin_object();
    writer.key("recordVersion").unsigned_integer(record_version);
    writer.key("ociVersion").string(record.oci_version);
    writer.key("id").string(record.id);
    writer.key("bundle").string(record.bundle);
    writer.key("rootfs").string(record.rootfs);
    writer.key("created").string(record.created);
    writer.key("owner").unsigned_integer(record.owner);
    writer.key("bootId").string(record.boot_id);
    writer.key("pidFile").string(record.pid_file);
    writer.key("creatorPid").integer(record.creator_pid);
    writer.key("creatorStartTime").unsigned_integer(record.creator_start_time);
    writer.key("pid").integer(record.pid);
    writer.key("startTime").unsigned_integer(record.start_time);
    writer.key("sessionKeyring").boolean(record.session_keyring);
    if (record.cgroup) {
        write_cgroup(writer, *record.cgroup);
    }
    if (!record.no_cgroup.empty()) {
        writer.key("noCgroup").string(record.no_cgroup);
    }
    if (!record.resctrl.empty()) {
        writer.key("resctrl").strings(record.resctrl);
    }
    writer.key("degradations").strings(record.degradations);
    writer.key("annotations").string_map(record.annotations);
    if (record.seccomp_listener) {
        writer.key("seccompListener").begin_object();
        writer.key("path").string(record.seccomp_listener->path);
        writer.key("metadata").string(record.seccomp_listener->metadata);
        writer.end_object();
    }
    writer.key("hooks").begin_object();
    write_hooks(writer, "startContainer", record.hooks.start_container);
    write_hooks(writer, "poststart", record.hooks.poststart);
    write_hooks(writer, "poststop", record.hooks.poststop);
    writer.end_object();
    writer.end_object();
    return writer.finish();
}

Record parse_record(std::string_view text) {
    const json::Document document(text, "record.json");
    const View root = document.root();
    root.require_member("recordVersion");
    // Before all else: another version may give the other members another meaning.
    root.for_each_member([](std::string_view key, const View& value) {
        if (key == "recordVersion" && value.as_uint64() != record_version) {
            value.fail("is not " + std::to_string(record_version) +
                       ": another version of coracle made this container; use that one");
        }
    });
    Record record;
    root.for_each_member(
        [&](std::string_view key, const View& value) { parse_member(record, key, value); });
    for (const char* key : {"ociVersion", "id", "bundle", "rootfs", "created", "owner", "bootId",
                            "creatorPid", "creatorStartTime", "pid", "startTime"}) {
        root.require_member(key);
    }
    return record;
}

namespace {

/// What follows `"key":` up to the next comma, bracket or line's end.
std::string_view find_raw_member(std::string_view text, std::string_view key) {
    const std::string label = "\"" + std::string(key) + "\":";
    const std::size_t at = text.find(label);
    if (at == std::string_view::npos) {
        return {};
    }
    text.remove_prefix(at + label.size());
    return text.substr(0, text.find_first_of(",}\n"));
}

} // namespace

std::optional<Record> salvage_record(std::string_view text) {
    const std::optional<std::uint64_t> pid =
        parse_unsigned(find_raw_member(text, "pid"), INT32_MAX);
    const std::optional<std::uint64_t> start_time =
        parse_unsigned(find_raw_member(text, "startTime"), UINT64_MAX);
    const std::string_view boot_id = find_raw_member(text, "bootId");
    if (!pid || !start_time || boot_id.size() < 3 || boot_id.front() != '"' ||
        boot_id.back() != '"') {
        return std::nullopt;
    }
    Record record;
    record.pid = static_cast<std::int32_t>(*pid);
    record.start_time = *start_time;
    record.boot_id = boot_id.substr(1, boot_id.size() - 2);
    return record;
}

} // namespace coracle::spec
