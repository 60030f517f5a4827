#include "log_target_private.h"

#include "coracle/base/error.h"
#include "coracle/base/log.h"
#include "coracle/base/text.h"

#include <cerrno>
#include <fcntl.h>

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

} // namespace

void open_log(const LogChoice& choice) {
    log::Settings settings;
    settings.format = choice.format == "json" ? log::Format::json : log::Format::text;
    settings.level = level_of(choice.level);
    std::string path = choice.target;
    if (path.starts_with("journald:") || path.starts_with("syslog:")) {
        throw_error(ErrorKind::unsupported,
                    "--log " + printable(path) + ": only a file is supported yet");
    }
    if (path.starts_with("file:")) {
        path.erase(0, 5);
    }
    if (!path.empty()) {
        // Kept open to the end of the process.
        settings.fd = ::open(
            path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0644);
        if (settings.fd < 0) {
            int saved = errno;
            throw_system(saved, "--log: open " + printable(path));
        }
    }
    log::configure(settings);
}

} // namespace coracle::cli
