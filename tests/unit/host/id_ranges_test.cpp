#include "support/catch.h"

#include "coracle/host/id_ranges.h"

#include <string>
#include <unistd.h>
#include <vector>

using namespace coracle;
using host::IdRange;

namespace {

using Ranges = std::vector<IdRange>;

} // namespace

TEST_CASE("subid: the ranges of a user, by name and by number", "[host]") {
    const std::string text = "root:1:2\n"
                             "alice:100000:65536\n"
                             "bob:200000:65536\n"
                             "1000:300000:1\n"
                             "alice:400000:10\n";
    CHECK(host::parse_subid(text, "alice", 1000) ==
          Ranges{{100000, 65536}, {300000, 1}, {400000, 10}});
    CHECK(host::parse_subid(text, "", 1000) == Ranges{{300000, 1}});
    CHECK(host::parse_subid(text, "carol", 1001).empty());
    CHECK(host::parse_subid("", "alice", 1000).empty());
}

TEST_CASE("subid: more than six ranges, and no newline at the end", "[host]") {
    std::string text;
    for (int i = 0; i < 20; ++i) {
        text += (i > 0 ? "\n" : "") + std::string("a:") + std::to_string(100000 + i * 10) + ":10";
    }
    const Ranges ranges = host::parse_subid(text, "a", 1);
    REQUIRE(ranges.size() == 20);
    CHECK(ranges[19] == IdRange{100190, 10});
}

TEST_CASE("subid: what is malformed is left out", "[host]") {
    for (const char* line :
         {"a:1", "a:1:2:3", "a:-1:2", "a:+1:2", "a:1:", "a::1", "a:1:0", "a:0x10:2", "a:1:2x",
          "a:4294967295:1", "a:4294967294:2", "a:1:4294967295", "a:99999999999:1",
          "a:18446744073709551616:1", "#a:1:2", ":1:2", "b:1:2"}) {
        INFO(line);
        CHECK(host::parse_subid(line, "a", 1000).empty());
    }
    CHECK(host::parse_subid("a:4294967294:1", "a", 1) == Ranges{{4294967294, 1}});
    CHECK(host::parse_subid(" a : 5 : 6 \r\n", "a", 1) == Ranges{{5, 6}});
}

TEST_CASE("subid: what getsubids prints", "[host]") {
    CHECK(host::parse_getsubids("0: alice 100000 65536\n1: alice 300000 5\n") ==
          Ranges{{100000, 65536}, {300000, 5}});
    CHECK(host::parse_getsubids("Error fetching ranges\n").empty());
    CHECK(host::parse_getsubids("0: alice 100000\n: a 0 0\n").empty());
}

TEST_CASE("subid: a source other than files", "[host]") {
    CHECK_FALSE(host::names_other_subid_source(""));
    CHECK_FALSE(host::names_other_subid_source("passwd: files sss\n"));
    CHECK_FALSE(host::names_other_subid_source("subid: files\n"));
    CHECK_FALSE(host::names_other_subid_source("  subid:   files   # sss\n"));
    CHECK_FALSE(host::names_other_subid_source("#subid: sss\n"));
    CHECK(host::names_other_subid_source("passwd: files\nsubid: sss\n"));
    CHECK(host::names_other_subid_source("subid:\tldap\n"));
}

TEST_CASE("subid: this machine answers", "[host]") {
    const host::IdRanges ranges = host::detect_id_ranges(::getuid());
    CHECK_FALSE(ranges.search_path.empty());
    for (const std::string& helper : {ranges.newuidmap, ranges.newgidmap}) {
        CHECK((helper.empty() || helper.front() == '/'));
    }
    // A uid that no user database knows.
    CHECK(host::detect_id_ranges(3999999999).user.empty());
}
