#include "log_target_private.h"

#include "coracle/base/error.h"
#include "coracle/base/log.h"
#include "coracle/base/text.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <utility>

namespace coracle::cli {

namespace {

log::Level level_of(const std::string& name) {
    if (name == "debug") {
        return log::Level::debug;
    }
    if (name == "info") {
        return log::Level::info;
    }
    return name == "warning" ? log::Level::warning : log::Level::error;
}

/// Kept open to the end of the process.
int open_file(const std::string& path) {
    int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
                    0644);
    if (fd < 0) {
        int saved = errno;
        throw_system(saved, "--log: open " + printable(path));
    }
    return fd;
}

/// The same of a datagram socket, whose listener is a service of the host.
int connect_socket(const char* path, const char* service) {
    struct sockaddr_un address {};
    address.sun_family = AF_UNIX;
    std::strncpy(static_cast<char*>(address.sun_path), path, sizeof address.sun_path - 1);
    int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const auto* generic = reinterpret_cast<const struct sockaddr*>(&address); // NOLINT: bind(2)
    if (fd < 0 || ::connect(fd, generic, sizeof address) != 0) {
        int saved = errno;
        bool absent = saved == ENOENT || saved == ECONNREFUSED;
        throw_system(saved, std::string("--log: connect to ") + path,
                     absent ? std::string(service) + " does not run here: give a file" : "");
    }
    return fd;
}

/// An identifier ends at a blank, and a field at a line's end.
std::string parse_identifier(const std::string& text) {
    bool usable = std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
    if (!usable) {
        throw_error(ErrorKind::usage, "--log: the identifier " + printable(text) +
                                          " must be of printable characters without blanks");
    }
    return text.empty() ? "coracle" : text;
}

} // namespace

void open_log(const LogChoice& choice) {
    log::Settings settings;
    settings.format = choice.format == "json" ? log::Format::json : log::Format::text;
    settings.level = level_of(choice.level);
    const std::string& target = choice.target;
    std::string rest = target.substr(std::min(target.find(':') + 1, target.size()));
    if (target.starts_with("journald:")) {
        settings.format = log::Format::journal;
        settings.identifier = parse_identifier(rest);
        settings.fd = connect_socket("/run/systemd/journal/socket", "systemd-journald");
    } else if (target.starts_with("syslog:")) {
        settings.format = log::Format::syslog;
        settings.identifier = parse_identifier(rest);
        settings.fd = connect_socket("/dev/log", "a syslog service");
    } else if (!target.empty()) {
        settings.fd = open_file(target.starts_with("file:") ? rest : target);
    }
    log::configure(std::move(settings));
}

} // namespace coracle::cli
