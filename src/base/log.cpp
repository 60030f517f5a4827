#include "coracle/base/log.h"

#include "base/utf8_private.h"
#include "coracle/base/text.h"

#include <cerrno>
#include <ctime>
#include <unistd.h>
#include <utility>

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

/// Source: syslog(3).
int priority_of(Level level) noexcept {
    switch (level) {
    case Level::debug:
        return 7;
    case Level::info:
        return 6;
    case Level::warning:
        return 4;
    case Level::error:
        break;
    }
    return 3;
}

/// Without line breaks, which would begin another field or line.
std::string escape_line(std::string_view message) {
    std::string line;
    utf8::append_escaped(line, message, utf8::Quotes::keep);
    return line;
}

std::string make_plain_line(std::string_view message) {
    return "coracle: " + escape_line(message) + "\n";
}

std::string make_json_line(Level level, std::string_view message, long seconds) {
    std::string line = "{\"level\":\"";
    line += level_name(level);
    line += "\",\"msg\":\"";
    line += escape_json(message);
    line += "\",\"time\":\"" + format_time(seconds) + "\"}\n";
    return line;
}

std::string make_text_line(Level level, std::string_view message, long seconds) {
    std::string line = "time=\"" + format_time(seconds) + "\" level=";
    line += level_name(level);
    line += " msg=\"";
    utf8::append_escaped(line, message, utf8::Quotes::escape);
    line += "\"\n";
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

void configure(Settings new_settings) noexcept {
    settings = std::move(new_settings);
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
                       make_line(level, settings, message, now.tv_sec));
        }
        const bool plain_line_too =
            to_standard_error ? settings.format == Format::text : level == Level::error;
        if (plain_line_too) {
            write_line(STDERR_FILENO, make_plain_line(message));
        }
    } catch (...) { // catch: no memory for the line, and nobody to tell
    }
}

std::string make_line(Level level, const Settings& to, std::string_view message, long seconds) {
    switch (to.format) {
    case Format::json:
        return make_json_line(level, message, seconds);
    case Format::journal:
        return "PRIORITY=" + std::to_string(priority_of(level)) +
               "\nSYSLOG_IDENTIFIER=" + to.identifier + "\nMESSAGE=" + escape_line(message) + "\n";
    case Format::syslog: {
        constexpr int facility = 3 << 3; // LOG_DAEMON
        return "<" + std::to_string(facility | priority_of(level)) + ">" + to.identifier + ": " +
               escape_line(message);
    }
    case Format::text:
        break;
    }
    return make_text_line(level, message, seconds);
}

} // namespace coracle::log
