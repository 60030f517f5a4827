#include "coracle/base/error.h"
#include "coracle/sandbox/egress.h"
#include "support/catch.h"

using namespace coracle;
using Kind = sandbox::Destination::Kind;

namespace {

/// The rules of destinations that need no question.
std::string rules(const std::vector<std::string>& texts) {
    std::vector<sandbox::Destination> destinations;
    for (const std::string& text : texts) {
        destinations.push_back(sandbox::parse_destination(text));
    }
    const std::string script = sandbox::make_filter_script(destinations);
    const std::string before = "nd-router-solicit } accept\n";
    const std::size_t begin = script.find(before) + before.size();
    return script.substr(begin, script.find("    meta l4proto tcp reject") - begin);
}

} // namespace

TEST_CASE("egress: a rule for each destination", "[sandbox]") {
    CHECK(rules({}).empty());
    CHECK(rules({"192.0.2.1"}) == "    ip daddr 192.0.2.1 accept\n");
    CHECK(rules({"192.0.2.0/24:443"}) ==
          "    ip daddr 192.0.2.0/24 meta l4proto { tcp, udp } th dport 443-443 accept\n");
    CHECK(rules({"192.0.2.0/24/tcp"}) == "    ip daddr 192.0.2.0/24 meta l4proto tcp accept\n");
    CHECK(rules({"2001:db8::1"}) == "    ip6 daddr 2001:db8::1 accept\n");
    CHECK(rules({"2001:db8::/32/udp"}) == "    ip6 daddr 2001:db8::/32 meta l4proto udp accept\n");
    CHECK(rules({"[2001:db8::]/32:80-90/tcp"}) ==
          "    ip6 daddr 2001:db8::/32 meta l4proto tcp th dport 80-90 accept\n");
    CHECK(rules({"any:53/udp", "any"}) ==
          "    meta l4proto udp th dport 53-53 accept\n    accept\n");
    CHECK(rules({"10.0.0.0/010", "10.0.0.0/08"}) ==
          "    ip daddr 10.0.0.0/10 accept\n    ip daddr 10.0.0.0/8 accept\n");
    CHECK(rules({"64:ff9b::1.2.3.4/96", "1:2:3:4:5:6:1.2.3.4", "2001:DB8:0::1"}) ==
          "    ip6 daddr 64:ff9b::102:304/96 accept\n    ip6 daddr 1:2:3:4:5:6:102:304 accept\n"
          "    ip6 daddr 2001:db8::1 accept\n");
    CHECK(rules({"0.0.0.0/0", "::/0"}) ==
          "    ip daddr 0.0.0.0/0 accept\n    ip6 daddr ::/0 accept\n");
}

TEST_CASE("egress: what is not named is refused, whatever else there is", "[sandbox]") {
    const std::string script = sandbox::make_filter_script({});
    CHECK(script.starts_with("table inet coracle {\n"));
    CHECK(script.find("policy drop;") != std::string::npos);
    CHECK(script.find("oif lo notrack\n") < script.find("oif lo accept\n"));
    CHECK(script.ends_with("    reject with icmpx admin-prohibited\n  }\n}\n"));
}

TEST_CASE("egress: names are asked for later", "[sandbox]") {
    const sandbox::Destination name = sandbox::parse_destination("deb.debian.org:80-81/tcp");
    CHECK(name.kind == Kind::name);
    CHECK(name.address == "deb.debian.org");
    CHECK(name.first_port == 80);
    CHECK(name.last_port == 81);
    CHECK(name.protocol == sandbox::Protocol::tcp);
    CHECK(sandbox::parse_destination("dns").kind == Kind::resolver);
    CHECK(sandbox::parse_destination("dns/udp").protocol == sandbox::Protocol::udp);
    CHECK(sandbox::parse_destination("dnsmasq").kind == Kind::name);
    CHECK(sandbox::parse_destination("1and1.example").kind == Kind::name);
}

TEST_CASE("egress: what it is not is refused", "[sandbox]") {
    for (const char* text : {"",
                             ":",
                             "/",
                             ":80",
                             "/24",
                             "/tcp",
                             "192.0.2.1:",
                             "192.0.2.1:0",
                             "192.0.2.1:65536",
                             "192.0.2.1:80-",
                             "192.0.2.1:-80",
                             "192.0.2.1:81-80",
                             "192.0.2.1:80,81",
                             "192.0.2.1/",
                             "192.0.2.1/33",
                             "192.0.2.1/-1",
                             "192.0.2.1/ 8",
                             "192.0.2.1/24/24",
                             "192.0.2.1/sctp",
                             "192.0.2.1:80/24",
                             "192.0.2",
                             "192.0.2.256",
                             "1.2.3.4.5",
                             "...",
                             "2001:db8::/129",
                             "2001:db8::1:80/x",
                             "[2001:db8::1]80",
                             "[2001:db8::1",
                             "[192.0.2.1]:80",
                             "[]:80",
                             "[a.example]:80",
                             "2001:db8::g",
                             "a.example/24",
                             "any/8",
                             "dns:53",
                             "dns/8",
                             "-a.example",
                             ".example",
                             "a b",
                             "a;b",
                             "a\nb",
                             "a\"b",
                             "a{b}",
                             "\xc3\xa4.example",
                             "none",
                             "none:80",
                             "fe80::1%lo",
                             "any:80\n"}) {
        INFO(text);
        CHECK_THROWS_AS(sandbox::parse_destination(text), Error);
    }
    CHECK_THROWS_AS(sandbox::parse_destination(std::string(254, 'a')), Error);
    CHECK_THROWS_AS(sandbox::parse_destination(std::string("any\0", 4)), Error);
}

TEST_CASE("egress: where nothing can be filtered it is refused", "[sandbox]") {
    sandbox::Options options;
    CHECK_NOTHROW(sandbox::require_filterable(options));
    options.filtered = true;
    CHECK_THROWS_AS(sandbox::require_filterable(options), Error);
    options.network = sandbox::Network::host;
    CHECK_THROWS_AS(sandbox::require_filterable(options), Error);
    options.network = sandbox::Network::pasta;
    CHECK_NOTHROW(sandbox::require_filterable(options));
    for (const char* name : {"CAP_NET_ADMIN", "CAP_NET_RAW"}) {
        options.capabilities = {"CAP_CHOWN", name};
        CHECK_THROWS_AS(sandbox::require_filterable(options), Error);
    }
}
