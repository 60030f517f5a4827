#include "coracle/base/duration.h"

#include "coracle/base/error.h"
#include "support/catch.h"

#include <chrono>
#include <string>
#include <utility>
#include <vector>

using coracle::Error;
using coracle::ErrorKind;
using coracle::parse_duration;

TEST_CASE("duration: numbers with units, added up", "[cli]") {
    const std::vector<std::pair<std::string, long>> rows{
        {"1ms", 1},
        {"500ms", 500},
        {"5s", 5000},
        {"1m", 60000},
        {"2h", 7200000},
        {"1m30s", 90000},
        {"1h1m1s1ms", 3661001},
        {"1s1s", 2000},
        {"0h5s", 5000},
        {"005s", 5000},
        {"10000h", 36000000000},
        {"36000000000ms", 36000000000},
    };
    for (const auto& [text, milliseconds] : rows) {
        CAPTURE(text);
        CHECK(parse_duration(text, "--interval") == std::chrono::milliseconds(milliseconds));
    }
}

TEST_CASE("duration: what is none, or nothing, is refused by its option", "[cli]") {
    for (const char* text : {"",
                             " ",
                             "0",
                             "0s",
                             "0h0m0s",
                             "5",
                             "s",
                             "ms",
                             "5 s",
                             " 5s",
                             "5s ",
                             "-5s",
                             "+5s",
                             "1.5s",
                             "1us",
                             "1ns",
                             "1d",
                             "5S",
                             "5sec",
                             "1m30",
                             "m30s",
                             "10001h",
                             "10000h1ms",
                             "36000000001ms",
                             "99999999999999999999s",
                             "10000000000h",
                             "9999h3600s1ms9999h",
                             "1e3s",
                             "5s\n"}) {
        CAPTURE(text);
        try {
            static_cast<void>(parse_duration(text, "--interval"));
            FAIL_CHECK("taken");
        } catch (const Error& error) { // catch: the test's subject
            CHECK(error.kind() == ErrorKind::usage);
            CHECK_THAT(error.text(), Catch::StartsWith("--interval ") && Catch::EndsWith("1m30s") &&
                                         !Catch::Contains("\n"));
        }
    }
}
