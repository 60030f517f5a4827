#pragma once

#include <string>
#include <string_view>

namespace coracle::log {

enum class Level { debug, info, warning, error };
/// `journal` and `syslog` are datagrams for a connected socket: systemd.journal-fields(7),
/// syslog(3).
enum class Format { text, json, journal, syslog };

/// Where log lines go. `fd` is borrowed and must be open for appending; -1 is standard error.
struct Settings {
    int fd = -1;
    Format format = Format::text;
    Level level = Level::error;
    std::string identifier = "coracle"; ///< of the lines in journal and syslog
};

/// Sets where the lines of this process go. Runs in: parent, once, before any clone.
void configure(Settings settings) noexcept;

/// Writes one line with one write(2) if `level` is at least the configured one. An error goes to
/// standard error as well when the log is a file: conmon, buildah and CRI-O read it there.
/// Runs in: parent. Failing to write is not an error.
void write(Level level, std::string_view message) noexcept;

inline void debug(std::string_view message) noexcept {
    write(Level::debug, message);
}
inline void warning(std::string_view message) noexcept {
    write(Level::warning, message);
}
inline void error(std::string_view message) noexcept {
    write(Level::error, message);
}

/// The line that `write` would write, newline included; `seconds` is the time since the epoch.
[[nodiscard]] std::string make_line(Level level, const Settings& settings, std::string_view message,
                                    long seconds);

} // namespace coracle::log
