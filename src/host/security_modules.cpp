#include "coracle/host/security_modules.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/sys/file.h"

#include <fcntl.h>
#include <optional>
#include <string_view>

namespace coracle::host {

namespace {

constexpr std::size_t max_text = std::size_t{1} << 16;

/// Nothing if the file cannot be read: a module that is not enabled answers EINVAL.
std::optional<std::string> find_text(int dir_fd, const char* path) {
    sys::Fd file;
    if (sys::try_open_at(dir_fd, path, O_RDONLY, 0, file) != 0) {
        return std::nullopt;
    }
    try {
        return sys::read_all(file.get(), max_text, path);
    } catch (const Error&) { // catch: no answer is an answer here
        return std::nullopt;
    }
}

} // namespace

std::string parse_apparmor_label(const std::string& text) {
    std::string_view label = text;
    label = label.substr(0, label.find('\n'));
    std::size_t mode = label.rfind(" (");
    return std::string(label.ends_with(')') ? label.substr(0, mode) : label);
}

bool has_filesystem(const std::string& text, const std::string& name) {
    for (std::string_view line : split(text, '\n')) {
        if (line.substr(line.find('\t') + 1) == name) {
            return true;
        }
    }
    return false;
}

SecurityModules detect_security_modules(int proc_fd) {
    SecurityModules modules;
    std::optional<std::string> label = find_text(proc_fd, "self/attr/apparmor/current");
    if (!label) { // before Linux 5.8 there is one file for whichever module it is
        std::optional<std::string> enabled =
            find_text(AT_FDCWD, "/sys/module/apparmor/parameters/enabled");
        if (enabled && enabled->starts_with('Y')) {
            label = find_text(proc_fd, "self/attr/current");
        }
    }
    modules.apparmor = label.has_value();
    modules.apparmor_label = parse_apparmor_label(label.value_or(""));
    std::optional<std::string> filesystems = find_text(proc_fd, "filesystems");
    modules.selinux = filesystems && has_filesystem(*filesystems, "selinuxfs");
    return modules;
}

} // namespace coracle::host
