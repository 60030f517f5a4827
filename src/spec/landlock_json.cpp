#include "coracle/base/text.h"
#include "coracle/spec/landlock.h"
#include "spec/json_private.h"
#include "spec/json_writer_private.h"

#include <utility>

namespace coracle::spec {

namespace {

using json::View;

[[noreturn]] void refuse_member(const View& value, const char* known) {
    value.fail("is not known here; " + std::string(known) + " are");
}

LandlockAccess parse_access(const View& view) {
    const std::string word = view.as_string();
    if (word == "read") {
        return LandlockAccess::read;
    }
    if (word == "ro") {
        return LandlockAccess::read_execute;
    }
    if (word != "rw") {
        view.fail("must be \"read\", \"ro\" or \"rw\"");
    }
    return LandlockAccess::all;
}

LandlockRule parse_rule(const View& view) {
    LandlockRule rule;
    view.for_each_member([&](std::string_view key, const View& value) {
        if (key == "path") {
            rule.path = value.as_string();
            if (!rule.path.starts_with('/')) {
                value.fail(printable(rule.path) + " is not an absolute path");
            }
        } else if (key == "access") {
            rule.access = parse_access(value);
        } else {
            refuse_member(value, "\"path\" and \"access\"");
        }
    });
    view.require_member("path");
    view.require_member("access");
    return rule;
}

std::vector<std::uint16_t> parse_ports(const View& view) {
    return view.as_vector([](const View& element) {
        const std::uint32_t port = element.as_uint32();
        if (port > UINT16_MAX) {
            element.fail("must be a port from 0 to 65535");
        }
        return static_cast<std::uint16_t>(port);
    });
}

LandlockPorts parse_net(const View& view) {
    LandlockPorts ports;
    view.for_each_member([&](std::string_view key, const View& value) {
        if (key == "bind") {
            ports.bind = parse_ports(value);
        } else if (key == "connect") {
            ports.connect = parse_ports(value);
        } else {
            refuse_member(value, "\"bind\" and \"connect\"");
        }
    });
    return ports;
}

void parse_scope(const View& view, Landlock& landlock) {
    view.for_each_element([&](const View& element) {
        const std::string word = element.as_string();
        if (word == "abstract-unix-socket") {
            landlock.scope_abstract_unix_socket = true;
        } else if (word == "signal") {
            landlock.scope_signal = true;
        } else {
            element.fail("must be \"abstract-unix-socket\" or \"signal\"");
        }
    });
}

} // namespace

Landlock parse_landlock(std::string_view text) {
    const json::Document document(text, "/annotations/org.coracle.landlock");
    const View root = document.root();
    Landlock landlock;
    root.for_each_member([&](std::string_view key, const View& value) {
        if (key == "fs") {
            landlock.fs = value.as_vector(parse_rule);
        } else if (key == "net") {
            landlock.net = parse_net(value);
        } else if (key == "scope") {
            parse_scope(value, landlock);
        } else {
            refuse_member(value, "\"fs\", \"net\" and \"scope\"");
        }
    });
    if (!landlock.fs && !landlock.net && !landlock.scope_signal &&
        !landlock.scope_abstract_unix_socket) {
        root.fail("restricts nothing: give \"fs\", \"net\" or \"scope\"");
    }
    return landlock;
}

std::string write_landlock(const Landlock& landlock) {
    json::Writer writer(json::Layout::compact);
    writer.begin_object();
    if (landlock.fs) {
        writer.key("fs").begin_array();
        for (const LandlockRule& rule : *landlock.fs) {
            writer.begin_object();
            writer.key("path").string(rule.path);
            writer.key("access").string(rule.access == LandlockAccess::all            ? "rw"
                                        : rule.access == LandlockAccess::read_execute ? "ro"
                                                                                      : "read");
            writer.end_object();
        }
        writer.end_array();
    }
    if (landlock.net) {
        writer.key("net").begin_object();
        for (const auto& [name, ports] : {std::pair("bind", &landlock.net->bind),
                                          std::pair("connect", &landlock.net->connect)}) {
            writer.key(name).begin_array();
            for (std::uint16_t port : *ports) {
                writer.unsigned_integer(port);
            }
            writer.end_array();
        }
        writer.end_object();
    }
    std::vector<std::string_view> scopes;
    if (landlock.scope_abstract_unix_socket) {
        scopes.emplace_back("abstract-unix-socket");
    }
    if (landlock.scope_signal) {
        scopes.emplace_back("signal");
    }
    if (!scopes.empty()) {
        writer.key("scope").strings(scopes);
    }
    writer.end_object();
    std::string text = writer.finish();
    text.pop_back(); // the newline
    return text;
}

} // namespace coracle::spec
