#include "support/catch.h"

#include "coracle/base/text.h"

#include <limits>

using namespace coracle;

namespace {
constexpr std::uint64_t no_limit = std::numeric_limits<std::uint64_t>::max();
} // namespace

TEST_CASE("text: unsigned numbers", "[text]") {
    CHECK(parse_unsigned("0", no_limit) == 0U);
    CHECK(parse_unsigned("007", no_limit) == 7U);
    CHECK(parse_unsigned("18446744073709551615", no_limit) == no_limit);
    CHECK(parse_unsigned("4294967295", 4294967295) == 4294967295U);
    CHECK(parse_unsigned("5", 5) == 5U);
    CHECK(parse_unsigned("0", 0) == 0U);
    CHECK_FALSE(parse_unsigned("18446744073709551616", no_limit));
    CHECK_FALSE(parse_unsigned("99999999999999999999999", no_limit));
    CHECK_FALSE(parse_unsigned("4294967296", 4294967295));
    CHECK_FALSE(parse_unsigned("6", 5));
    CHECK_FALSE(parse_unsigned("10", 5));
    for (const char* bad : {"", " 1", "1 ", "+1", "-1", "0x1", "1.0", "1e3", "a", "/", ":"}) {
        CAPTURE(bad);
        CHECK_FALSE(parse_unsigned(bad, no_limit));
    }
}

TEST_CASE("text: octal numbers", "[text]") {
    CHECK(parse_octal("0755", 07777) == 0755U);
    CHECK(parse_octal("7777", 07777) == 07777U);
    CHECK_FALSE(parse_octal("10000", 07777));
    CHECK_FALSE(parse_octal("8", 07777));
    CHECK_FALSE(parse_octal("", 07777));
}

TEST_CASE("text: split and join", "[text]") {
    using Parts = std::vector<std::string_view>;
    CHECK(split("", ',') == Parts{""});
    CHECK(split("a", ',') == Parts{"a"});
    CHECK(split("a,,b,", ',') == Parts{"a", "", "b", ""});
    CHECK(join({}, ", ").empty());
    CHECK(join({"a"}, ", ") == "a");
    CHECK(join({"a", "", "b"}, ", ") == "a, , b");
}

TEST_CASE("text: to_lower leaves other bytes alone", "[text]") {
    CHECK(to_lower("AZaz09_\xc3\x84") == "azaz09_\xc3\x84");
}

TEST_CASE("text: printable escapes what a line or terminal would act on", "[text]") {
    CHECK(printable("plain \xc3\xa4") == "plain \xc3\xa4");
    CHECK(printable("a\nb\tc\r\x1b\x7f") == "a\\nb\\tc\\r\\x1b\\x7f");
    CHECK(printable("say \"x\" \\") == "say \\\"x\\\" \\\\");
    CHECK(printable("\xff\xc3") == "\\xff\\xc3");
    CHECK(printable("\xc2\x9b") == "\\x9b");
}

TEST_CASE("text: printable stays within 256 bytes and cuts no character", "[text]") {
    CHECK(printable(std::string(256, 'a')) == std::string(256, 'a'));
    CHECK(printable(std::string(257, 'a')) == std::string(253, 'a') + "...");
    std::string umlauts;
    for (int i = 0; i < 200; ++i) {
        umlauts += "\xc3\xa4";
    }
    const std::string cut = printable(umlauts);
    CHECK(cut.size() == 252 + 3);
    CHECK(cut.substr(250) == "\xc3\xa4...");
    CHECK(printable(std::string(1000, '\n')).size() <= 256);
}

TEST_CASE("text: JSON strings", "[text]") {
    CHECK(escape_json("a\"b\\c/") == "a\\\"b\\\\c/");
    CHECK(escape_json("\b\f\n\r\t") == "\\b\\f\\n\\r\\t");
    CHECK(escape_json(std::string_view("\0\x1f", 2)) == "\\u0000\\u001f");
    CHECK(escape_json("\xf0\x9f\x9b\xb6") == "\xf0\x9f\x9b\xb6");
    const std::string replaced = "\xef\xbf\xbd";
    CHECK(escape_json("\xff") == replaced);
    CHECK(escape_json("\xc0\x80") == replaced + replaced);                // overlong
    CHECK(escape_json("\xed\xa0\x80") == replaced + replaced + replaced); // surrogate
    CHECK(escape_json("\xf4\x90\x80\x80") == replaced + replaced + replaced + replaced);
    CHECK(escape_json("\xe2\x82") == replaced + replaced); // cut short
    CHECK(escape_json("\xe2\x82x") == replaced + replaced + "x");
}

TEST_CASE("text: path components", "[text]") {
    for (const char* good : {"a", "...", ".a", "a b", "-"}) {
        CHECK(is_path_component(good));
    }
    for (const char* bad : {"", ".", "..", "/", "a/b", "a/"}) {
        CHECK_FALSE(is_path_component(bad));
    }
    CHECK_FALSE(is_path_component(std::string_view("a\0b", 3)));
}

TEST_CASE("text: clean_absolute never climbs above the root", "[text]") {
    CHECK(clean_absolute("") == "/");
    CHECK(clean_absolute("/") == "/");
    CHECK(clean_absolute("a") == "/a");
    CHECK(clean_absolute("//a//./b/") == "/a/b");
    CHECK(clean_absolute("/a/../b") == "/b");
    CHECK(clean_absolute("/../../a") == "/a");
    CHECK(clean_absolute("../a/b/../../..") == "/");
    CHECK(clean_absolute("/a/...") == "/a/...");
}
