#include "support/catch.h"

#include "coracle/base/number_list.h"

#include <cstdint>
#include <string>
#include <vector>

using coracle::parse_number_list;
using coracle::write_number_list;
using Mask = std::vector<std::uint64_t>;

TEST_CASE("number list: numbers and ranges become bits", "[number_list]") {
    CHECK(parse_number_list("", 9) == Mask{});
    CHECK(parse_number_list("  ", 9) == Mask{});
    CHECK(parse_number_list("0", 9) == Mask{1});
    CHECK(parse_number_list("0-3,7", 9) == Mask{0x8f});
    CHECK(parse_number_list(" 0 - 3 , 7 ", 9) == Mask{0x8f});
    CHECK(parse_number_list("7,7,6-7", 9) == Mask{0xc0});
    CHECK(parse_number_list("63-64", 99) == Mask{std::uint64_t{1} << 63U, 1});
    CHECK(parse_number_list("4095", 4095).value().size() == 64);
    CHECK(parse_number_list("1024-1535", 65535).value()[23] == UINT64_MAX);
}

TEST_CASE("number list: anything else is nothing", "[number_list]") {
    for (const char* text : {",", "0,", ",0", "0,,1", "3-1", "-1", "1-", "1-2-3", "+1", "0x1",
                             "1 2", "a", "10", "1-10", "99999999999999999999", "1\n"}) {
        INFO(text);
        CHECK_FALSE(parse_number_list(text, 9));
    }
}

TEST_CASE("number list: a mask is written in its shortest form", "[number_list]") {
    CHECK(write_number_list({}).empty());
    CHECK(write_number_list({0, 0}).empty());
    CHECK(write_number_list({0x8f}) == "0-3,7");
    CHECK(write_number_list({std::uint64_t{1} << 63U, 3}) == "63-65");
    for (const char* text : {"5", "0-1", "62-64,66,128-191"}) {
        CHECK(write_number_list(parse_number_list(text, 999).value()) == text);
    }
}
