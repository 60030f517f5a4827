#include "support/catch.h"

#include "container/notify_private.h"

using coracle::container::permitted_lines;

TEST_CASE("notify: what says how the service is passes", "[container]") {
    CHECK(permitted_lines("READY=1") == "READY=1\n");
    CHECK(permitted_lines("READY=1\nSTATUS=a = b\n") == "READY=1\nSTATUS=a = b\n");
    CHECK(permitted_lines("RELOADING=1\nMONOTONIC_USEC=12") == "RELOADING=1\nMONOTONIC_USEC=12\n");
    CHECK(permitted_lines("STOPPING=1\nERRNO=2\nBUSERROR=x\nWATCHDOG=1\nEXTEND_TIMEOUT_USEC=9") ==
          "STOPPING=1\nERRNO=2\nBUSERROR=x\nWATCHDOG=1\nEXTEND_TIMEOUT_USEC=9\n");
}

TEST_CASE("notify: everything else is dropped, line by line", "[container]") {
    for (const char* text :
         {"", "\n\n", "MAINPID=1", "NOTIFYACCESS=all", "FDSTORE=1", "BARRIER=1", "READY=0",
          "READY=1 ", " READY=1", "XREADY=1", "WATCHDOG=trigger", "STATUS", "READY=1\rMAINPID=1"}) {
        CHECK(permitted_lines(text).empty());
    }
    CHECK(permitted_lines("MAINPID=1\nREADY=1\nFDSTORE=1") == "READY=1\n");
    CHECK(permitted_lines(std::string_view("STATUS=a\0\nMAINPID=1", 18)).empty());
}
