#include "coracle/base/size.h"

#include "coracle/base/error.h"
#include "support/catch.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

using coracle::Error;
using coracle::ErrorKind;
using coracle::parse_size;

TEST_CASE("size: bytes, and units of 1024", "[cli]") {
    const std::vector<std::pair<std::string, std::int64_t>> rows{
        {"0", 0},
        {"1", 1},
        {"4096", 4096},
        {"12b", 12},
        {"1k", 1024},
        {"1K", 1024},
        {"1kb", 1024},
        {"1KiB", 1024},
        {"512m", 536870912},
        {"512 m", 536870912},
        {"1.5g", 1610612736},
        {"1.5GiB", 1610612736},
        {"0.5k", 512},
        {"2t", 2199023255552},
        {"8191p", 9222246136947933184},
        {"007", 7},
        {"9223372036854775807", INT64_MAX},
        {"0.0000001g", 0}, // the sixth digit behind the point is the last that counts
        {"1.9", 1},        // there is no half byte
        {"-1", -1},
    };
    for (const auto& [text, bytes] : rows) {
        CAPTURE(text);
        CHECK(parse_size(text, "--memory") == bytes);
    }
    CHECK_FALSE(parse_size("", "--memory"));
}

TEST_CASE("size: what is none is refused by its option", "[cli]") {
    for (const char* text : {" ",
                             "m",
                             "-2",
                             "-1m",
                             "+1",
                             "1x",
                             "1mm",
                             "1kk",
                             "1ki",
                             "1bb",
                             "1 2",
                             "1m ",
                             " 1m",
                             ".5g",
                             "1.",
                             "1.m",
                             "1.2.3",
                             "1.x",
                             "1,5g",
                             "1e3",
                             "0x10",
                             "8192p",
                             "9223372036854775808",
                             "18446744073709551616",
                             "99999999999999999999",
                             "max",
                             "1\nm"}) {
        CAPTURE(text);
        try {
            static_cast<void>(parse_size(text, "--memory"));
            FAIL_CHECK("taken");
        } catch (const Error& error) { // catch: the test's subject
            CHECK(error.kind() == ErrorKind::usage);
            CHECK_THAT(error.text(), Catch::StartsWith("--memory ") && Catch::EndsWith("or -1") &&
                                         !Catch::Contains("\n"));
        }
    }
}
