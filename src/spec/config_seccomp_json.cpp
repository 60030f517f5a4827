#include "coracle/spec/config_json.h"
#include "spec/config_json_private.h"

#include <optional>

namespace coracle::spec {

namespace {

using json::View;

SeccompArg parse_arg(const View& view) {
    SeccompArg arg;
    view.for_each_member([&](std::string_view key, const View& value) {
        if (key == "index") {
            arg.index = value.as_uint32();
        } else if (key == "value") {
            arg.value = value.as_uint64();
        } else if (key == "valueTwo") {
            arg.value_two = value.as_uint64();
        } else if (key == "op") {
            arg.op = value.as_string();
        }
    });
    view.require_member("index");
    view.require_member("value");
    view.require_member("op");
    return arg;
}

SeccompSyscall parse_syscall(const View& view) {
    SeccompSyscall syscall;
    view.for_each_member([&](std::string_view key, const View& value) {
        if (key == "names") {
            syscall.names = value.as_strings();
        } else if (key == "action") {
            syscall.action = value.as_string();
        } else if (key == "errnoRet") {
            syscall.errno_ret = value.as_uint32();
        } else if (key == "args") {
            syscall.args = value.as_vector(parse_arg);
        }
    });
    view.require_member("names");
    view.require_member("action");
    return syscall;
}

} // namespace

Seccomp parse_seccomp(const View& view) {
    Seccomp seccomp;
    view.for_each_member([&](std::string_view key, const View& value) {
        if (key == "defaultAction") {
            seccomp.default_action = value.as_string();
        } else if (key == "defaultErrnoRet") {
            seccomp.default_errno_ret = value.as_uint32();
        } else if (key == "architectures") {
            seccomp.architectures = value.as_strings();
        } else if (key == "flags") {
            seccomp.flags = value.as_strings();
        } else if (key == "listenerPath") {
            seccomp.listener_path = value.as_string();
        } else if (key == "listenerMetadata") {
            seccomp.listener_metadata = value.as_string();
        } else if (key == "syscalls") {
            seccomp.syscalls = value.as_vector(parse_syscall);
        }
    });
    view.require_member("defaultAction");
    return seccomp;
}

Seccomp parse_seccomp_document(std::string_view text) {
    const json::Document document(text, "seccomp document");
    std::optional<Seccomp> seccomp;
    document.root().for_each_member([&](std::string_view key, const View& value) {
        if (key == "linux") {
            seccomp = parse_linux(value).seccomp;
        }
    });
    return seccomp ? *std::move(seccomp) : parse_seccomp(document.root());
}

} // namespace coracle::spec
