#include "support/catch.h"

#include "coracle/base/log.h"
#include "coracle/base/scope_guard.h"

#include <array>
#include <fcntl.h>
#include <string>
#include <unistd.h>

using namespace coracle;
using log::Format;
using log::Level;

namespace {

/// A pipe whose content is read at the end.
class Pipe {
  public:
    Pipe() { REQUIRE(pipe2(ends_.data(), O_CLOEXEC | O_NONBLOCK) == 0); }
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;
    ~Pipe() {
        close(ends_[0]);
        close(ends_[1]);
    }
    [[nodiscard]] int writer() const { return ends_[1]; }
    [[nodiscard]] std::string content() const {
        std::array<char, 8192> buffer{};
        const ssize_t length = read(ends_[0], buffer.data(), buffer.size());
        return length < 0 ? "" : std::string(buffer.data(), static_cast<std::size_t>(length));
    }

  private:
    std::array<int, 2> ends_{};
};

log::Settings with(Format format) {
    log::Settings settings;
    settings.format = format;
    return settings;
}

struct Written {
    std::string file;
    std::string standard_error;
};

/// What `settings` make of one message; settings.fd other than -1 stands for a file.
Written write_with(log::Settings settings, Level level, std::string_view message) {
    const Pipe file;
    const Pipe standard_error;
    const int saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    REQUIRE(saved >= 0);
    {
        const ScopeGuard restore([&] {
            dup2(saved, STDERR_FILENO);
            close(saved);
            log::configure({});
        });
        dup2(standard_error.writer(), STDERR_FILENO);
        if (settings.fd != -1) {
            settings.fd = file.writer();
        }
        log::configure(settings);
        log::write(level, message);
    }
    return {file.content(), standard_error.content()};
}

constexpr long sample_time = 1767323045; // 2026-01-02T03:04:05Z

} // namespace

TEST_CASE("log: a JSON line has level, msg and time in that order", "[log]") {
    CHECK(log::make_line(Level::error, with(Format::json), "no \"x\"\n", sample_time) ==
          "{\"level\":\"error\",\"msg\":\"no \\\"x\\\"\\n\",\"time\":\"2026-01-02T03:04:05Z\"}\n");
    CHECK(log::make_line(Level::warning, with(Format::json), "w", sample_time) ==
          "{\"level\":\"warning\",\"msg\":\"w\",\"time\":\"2026-01-02T03:04:05Z\"}\n");
}

TEST_CASE("log: a JSON line stays JSON whatever the message holds", "[log]") {
    CHECK(log::make_line(Level::error, with(Format::json), std::string("\0\xff\x1b[0m", 6),
                         sample_time) ==
          "{\"level\":\"error\",\"msg\":\"\\u0000\xef\xbf\xbd\\u001b[0m\","
          "\"time\":\"2026-01-02T03:04:05Z\"}\n");
}

TEST_CASE("log: a text line is what logrus writes", "[log]") {
    CHECK(log::make_line(Level::error, with(Format::text), "no \"x\" \\ y", sample_time) ==
          "time=\"2026-01-02T03:04:05Z\" level=error msg=\"no \\\"x\\\" \\\\ y\"\n");
    CHECK(log::make_line(Level::info, with(Format::text), "a\nb", 0) ==
          "time=\"1970-01-01T00:00:00Z\" level=info msg=\"a\\nb\"\n");
}

TEST_CASE("log: the calendar", "[log]") {
    struct Row {
        long seconds;
        const char* time;
    };
    const std::array rows{
        Row{-1, "1969-12-31T23:59:59Z"},         Row{951782399, "2000-02-28T23:59:59Z"},
        Row{951782400, "2000-02-29T00:00:00Z"},  Row{1709251199, "2024-02-29T23:59:59Z"},
        Row{1735689599, "2024-12-31T23:59:59Z"}, Row{4107542400, "2100-03-01T00:00:00Z"},
    };
    for (const Row& row : rows) {
        CHECK(log::make_line(Level::debug, with(Format::text), "m", row.seconds) ==
              std::string("time=\"") + row.time + "\" level=debug msg=\"m\"\n");
    }
}

TEST_CASE("log: standard error gets one plain line", "[log]") {
    const Written written = write_with({}, Level::error, "no \"x\"\nsecond \x1b[31m\xc2\x9b");
    CHECK(written.standard_error == "coracle: no \"x\"\\nsecond \\x1b[31m\\x9b\n");
    CHECK(written.file.empty());
}

TEST_CASE("log: standard error in JSON gets the JSON line alone", "[log]") {
    const Written written = write_with({-1, Format::json, Level::error}, Level::error, "m");
    CHECK(written.standard_error.find("{\"level\":\"error\",\"msg\":\"m\",\"time\":\"") == 0);
    CHECK(written.standard_error.find("coracle:") == std::string::npos);
}

TEST_CASE("log: an error in a file is on standard error too, a warning is not", "[log]") {
    const Written error = write_with({0, Format::json, Level::warning}, Level::error, "bad");
    CHECK(error.file.find("\"msg\":\"bad\"") != std::string::npos);
    CHECK(error.standard_error == "coracle: bad\n");
    const Written warning = write_with({0, Format::text, Level::warning}, Level::warning, "hm");
    CHECK(warning.file.find("level=warning msg=\"hm\"\n") != std::string::npos);
    CHECK(warning.standard_error.empty());
}

TEST_CASE("log: nothing below the level is written", "[log]") {
    const Written written = write_with({0, Format::json, Level::error}, Level::warning, "hm");
    CHECK(written.file.empty());
    CHECK(written.standard_error.empty());
    CHECK(write_with({}, Level::debug, "d").standard_error.empty());
}

TEST_CASE("log: a line for the journal and for syslog is one datagram", "[base]") {
    log::Settings settings = with(Format::journal);
    settings.identifier = "box";
    CHECK(make_line(Level::error, settings, "no\nPRIORITY=0", 0) ==
          "PRIORITY=3\nSYSLOG_IDENTIFIER=box\nMESSAGE=no\\nPRIORITY=0\n");
    CHECK(make_line(Level::debug, settings, "m", 0).starts_with("PRIORITY=7\n"));
    settings.format = Format::syslog;
    CHECK(make_line(Level::warning, settings, "w \x1b[0m", 0) == "<28>box: w \\x1b[0m");
    CHECK(make_line(Level::info, settings, "i", 0) == "<30>box: i");
}
