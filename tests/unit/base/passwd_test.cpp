#include "coracle/base/passwd.h"

#include "support/catch.h"

#include <string>
#include <vector>

using coracle::find_passwd_entry;

namespace {

TEST_CASE("passwd: the first line of seven fields with that uid", "[base]") {
    const std::string passwd = "root:x:0:0:root:/root:/bin/sh\n"
                               "# comment\n"
                               "\n"
                               "short:x:1000\n"
                               "more:x:1000:1:g:/more:/bin/sh:extra\n"
                               "31337:x:0:0::/evil:/bin/sh\n"
                               "sign:x:+1000:1::/sign:/bin/sh\n"
                               "blank:x: 1000:1::/blank:/bin/sh\n"
                               "hex:x:0x3e8:1::/hex:/bin/sh\n"
                               "wrap:x:4294968296:1::/wrap:/bin/sh\n"
                               "user:x:1000:1000:U:/home/user:/bin/sh\n"
                               "second:x:1000:1000:U:/second:/bin/sh\n"
                               "nohome:x:1001:1::" // an empty home, and no newline at the end
                               ":/bin/sh";
    struct Row {
        std::uint32_t uid;
        const char* name;
        const char* home;
    };
    for (const Row& row : std::vector<Row>{
             {0, "root", "/root"}, {1000, "user", "/home/user"}, {1001, "nohome", ""}}) {
        INFO(row.uid);
        REQUIRE(find_passwd_entry(passwd, row.uid));
        CHECK(find_passwd_entry(passwd, row.uid)->name == row.name);
        CHECK(find_passwd_entry(passwd, row.uid)->home == row.home);
    }
    for (const std::uint32_t uid : {31337U, 4294967295U, 7U}) {
        INFO(uid);
        CHECK_FALSE(find_passwd_entry(passwd, uid));
    }
    CHECK_FALSE(find_passwd_entry("", 0));
    CHECK_FALSE(find_passwd_entry(std::string("::::::\n") + std::string(100000, ':'), 0));
}

} // namespace
