#include "coracle/base/log.h"

#include "base/utf8_private.h"
#include "coracle/base/text.h"

#include <cerrno>
#include <ctime>
#include <unistd.h>

namespace coracle::log {

namespace {

Settings settings;

const char* level_name(Level level) noexcept {
    switch (level) {
    case Level::debug:
        return "debug";
    case Level::info:
        return "info";
    case Level::warning:
        return "warning";
    case Level::error:
        return "error";
    }
    return "error";
}

std::string make_plain_line(std::string_view message) {
    std::string line = "coracle: ";
    utf8::append_escaped(line, message, utf8::Quotes::keep);
    line += '\n';
    return line;
}

void write_line(int fd, const std::string& line) noexcept {
    ssize_t written = -1;
    do {
        written = ::write(fd, line.data(), line.size());
    } while (written < 0 && errno == EINTR);
}

bool is_standard_error(int fd) noexcept {
    return fd < 0 || fd == STDERR_FILENO;
}

} // namespace

void configure(const Settings& new_settings) noexcept {
    settings = new_settings;
}

void write(Level level, std::string_view message) noexcept {
    if (level < settings.level) {
        return;
    }
    try {
        const bool to_standard_error = is_standard_error(settings.fd);
        if (!to_standard_error || settings.format == Format::json) {
            timespec now{};
            clock_gettime(CLOCK_REALTIME, &now);
            write_line(to_standard_error ? STDERR_FILENO : settings.fd,
                       make_line(level, settings.format, message, now.tv_sec));
        }
        const bool plain_line_too =
            to_standard_error ? settings.format == Format::text : level == Level::error;
        if (plain_line_too) {
            write_line(STDERR_FILENO, make_plain_line(message));
        }
    } catch (...) { // catch: no memory for the line, and nobody to tell
    }
}

std::string make_line(Level level, Format format, std::string_view message, long seconds) {
    const std::string time = format_time(seconds);
    std::string line;
    if (format == Format::json) {
        line = "{\"level\":\"";
        line += level_name(level);
        line += "\",\"msg\":\"";
        line += escape_json(message);
        line += "\",\"time\":\"" + time + "\"}\n";
        return line;
    }
    line = "time=\"" + time + "\" level=";
    line += level_name(level);
    line += " msg=\"";
    utf8::append_escaped(line, message, utf8::Quotes::escape);
    line += "\"\n";
    return line;
}

} // namespace coracle::log
