#include "coracle/base/error.h"
#include "coracle/sandbox/network.h"
#include "support/catch.h"

using namespace coracle;

namespace {

std::string shown(const std::string& text) {
    sandbox::PublishedPort port = sandbox::parse_published_port(text);
    return port.address + " " + std::to_string(port.host_port) + " " + std::to_string(port.port) +
           (port.count == 1 ? "" : " x" + std::to_string(port.count)) +
           (port.protocol == sandbox::Protocol::udp ? " udp" : " tcp");
}

} // namespace

TEST_CASE("published port: without an address it is the loopback's", "[sandbox]") {
    CHECK(shown("8080") == "127.0.0.1 8080 8080 tcp");
    CHECK(shown("8080:80") == "127.0.0.1 8080 80 tcp");
    CHECK(shown("53/udp") == "127.0.0.1 53 53 udp");
    CHECK(shown("1:65535/tcp") == "127.0.0.1 1 65535 tcp");
}

TEST_CASE("published port: an address stands before it", "[sandbox]") {
    CHECK(shown("0.0.0.0:8080") == "0.0.0.0 8080 8080 tcp");
    CHECK(shown("192.0.2.1:8080:80/udp") == "192.0.2.1 8080 80 udp");
    CHECK(shown("[::1]:8080") == "::1 8080 8080 tcp");
    CHECK(shown("[2001:db8::1]:8080:80") == "2001:db8::1 8080 80 tcp");
}

TEST_CASE("published port: several at once", "[sandbox]") {
    CHECK(shown("8000-8009") == "127.0.0.1 8000 8000 x10 tcp");
    CHECK(shown("8000-8009:80-89/udp") == "127.0.0.1 8000 80 x10 udp");
    CHECK(shown("1-65535") == "127.0.0.1 1 1 x65535 tcp");
    CHECK(shown("0.0.0.0:80-80:90") == "0.0.0.0 80 90 tcp");
    for (const char* text : {"80-89:90", "80:90-99", "80-89:90-98", "89-80", "80-", "-80", "0-9"}) {
        INFO(text);
        CHECK_THROWS_AS(sandbox::parse_published_port(text), Error);
    }
}

TEST_CASE("published port: what it is not is refused", "[sandbox]") {
    for (const char* text : {"",
                             "0",
                             "65536",
                             "-1",
                             "+1",
                             " 80",
                             "80 ",
                             "80:",
                             ":80",
                             "80:0",
                             "80:1:2",
                             "80/sctp",
                             "80/TCP",
                             "/tcp",
                             "::1:80",
                             "[::1]",
                             "[::1]80",
                             "[::1]:",
                             "[127.0.0.1]:80",
                             "[]:80",
                             "127.0.0.1",
                             "127.0.0.1:",
                             "256.0.0.1:80",
                             "1.2.3:80",
                             "host.example:80",
                             "80/tcp/udp",
                             "1.2.3.4:80,81",
                             "1.2.3.4/5:80",

                             "[::1%lo]:80"}) {
        INFO(text);
        CHECK_THROWS_AS(sandbox::parse_published_port(text), Error);
    }
}
