#include "coracle/sandbox/egress.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/sandbox/network.h"
#include "coracle/sys/program.h"
#include "settings_private.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <chrono>
#include <optional>
#include <string_view>

namespace coracle::sandbox {

namespace {

using Kind = Destination::Kind;

constexpr const char* form = "must be none, any, dns, or ADDRESS[/PREFIX] or a host name, with "
                             "[:PORT[-PORT]][/tcp|/udp]; an "
                             "address of IPv6 in brackets if a port follows";

/// The address as inet_ntop(3) writes it, which nft(8) reads; empty if it is none.
std::string canonical_address(int family, const std::string& text) {
    std::array<unsigned char, sizeof(struct in6_addr)> bytes{};
    std::array<char, INET6_ADDRSTRLEN> canonical{};
    if (::inet_pton(family, text.c_str(), bytes.data()) != 1 ||
        ::inet_ntop(family, bytes.data(), canonical.data(), canonical.size()) == nullptr) {
        return {};
    }
    return canonical.data();
}

bool is_address(int family, const std::string& text) {
    return !canonical_address(family, text).empty();
}

/// False if it is no address.
bool set_address(Destination& destination, const std::string& text) {
    for (Kind kind : {Kind::ipv4, Kind::ipv6}) {
        std::string address = canonical_address(kind == Kind::ipv4 ? AF_INET : AF_INET6, text);
        if (!address.empty()) {
            destination.address = address;
            destination.kind = kind;
            return true;
        }
    }
    return false;
}

/// RFC 1123, and what a name server may be asked for besides. No address of IPv4, also a wrong one.
bool is_host_name(std::string_view text) {
    constexpr std::size_t longest = 253;
    auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    auto is_good = [&](char c) {
        return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
               c == '.' || c == '_';
    };
    auto is_numeric = [&](char c) { return is_digit(c) || c == '.'; };
    return !text.empty() && text.size() <= longest && text.front() != '-' && text.front() != '.' &&
           std::ranges::all_of(text, is_good) && !std::ranges::all_of(text, is_numeric);
}

/// Takes what stands before the prefix and the ports from the front of `text`.
std::string take_host(const std::string& whole, std::string_view& text) {
    if (text.starts_with('[')) {
        std::size_t end = text.find(']');
        if (end == std::string_view::npos) {
            refuse(whole, form);
        }
        std::string host(text.substr(1, end - 1));
        if (!is_address(AF_INET6, host)) {
            refuse(whole, printable(host) + " is not an address of IPv6");
        }
        text.remove_prefix(end + 1);
        return host;
    }
    bool is_bare_ipv6 = std::ranges::count(text, ':') > 1;
    std::size_t end = text.find_first_of(is_bare_ipv6 ? "/" : "/:");
    std::string host(text.substr(0, end));
    text.remove_prefix(host.size());
    return host;
}

void set_host(const std::string& whole, const std::string& host, Destination& result) {
    if (host == "any" || host == "dns") {
        result.kind = host == "any" ? Kind::any : Kind::resolver;
        return;
    }
    if (set_address(result, host)) {
        return;
    }
    if (host == "none" || !is_host_name(host)) {
        refuse(whole, form);
    }
    result.address = host;
    result.kind = Kind::name;
}

void take_prefix(const std::string& whole, std::string_view& text, Destination& result) {
    if (!text.starts_with('/')) {
        return;
    }
    std::string_view digits = text.substr(1, text.find(':') - 1);
    constexpr std::uint64_t ipv4_bits = 32;
    constexpr std::uint64_t ipv6_bits = 128;
    std::uint64_t bits = result.kind == Kind::ipv4 ? ipv4_bits : ipv6_bits;
    if (result.kind != Kind::ipv4 && result.kind != Kind::ipv6) {
        refuse(whole, "only an address has a prefix");
    }
    std::optional<std::uint64_t> prefix = parse_unsigned(digits, bits);
    if (!prefix) {
        refuse(whole, "the prefix must be a number from 0 to " + std::to_string(bits));
    }
    result.address += "/" + std::to_string(*prefix); // nft takes a leading zero for octal
    text.remove_prefix(1 + digits.size());
}

void take_ports(const std::string& whole, std::string_view text, Destination& result) {
    if (text.empty()) {
        return;
    }
    if (!text.starts_with(':')) {
        refuse(whole, form);
    }
    text.remove_prefix(1);
    Ports ports = parse_ports(whole, text, form);
    result.first_port = ports.first;
    result.last_port = static_cast<std::uint16_t>(ports.first + ports.count - 1);
}

/// One line of the chain.
std::string make_rule(const Destination& destination) {
    std::string rule;
    if (destination.kind == Kind::ipv4 || destination.kind == Kind::ipv6) {
        rule = (destination.kind == Kind::ipv4 ? "ip daddr " : "ip6 daddr ") + destination.address +
               " ";
    }
    if (destination.protocol) {
        rule += *destination.protocol == Protocol::udp ? "meta l4proto udp " : "meta l4proto tcp ";
    } else if (destination.first_port != 0) {
        rule += "meta l4proto { tcp, udp } ";
    }
    if (destination.first_port != 0) {
        rule += "th dport " + std::to_string(destination.first_port) + "-" +
                std::to_string(destination.last_port) + " ";
    }
    return "    " + rule + "accept\n";
}

/// The same destination at an address; nothing if that is none.
std::optional<Destination> at(const Destination& destination, const std::string& address) {
    Destination result = destination;
    return set_address(result, address) ? std::optional(result) : std::nullopt;
}

void add_addresses_of_name(const Destination& destination, std::vector<Destination>& all) {
    constexpr std::chrono::seconds limit{20};
    std::string getent = sys::find_program("getent", sys::program_search_path());
    if (getent.empty()) {
        throw_error(ErrorKind::unsupported, "egress " + destination.address +
                                                ": getent is not in PATH to ask for the addresses "
                                                "of names: give addresses");
    }
    sys::ProgramResult result =
        sys::run_program(getent, {"ahosts", "--", destination.address}, limit);
    std::size_t before = all.size();
    std::string last;
    for (std::string_view line : split(result.output, '\n')) {
        std::string address(line.substr(0, line.find(' ')));
        std::optional<Destination> found = at(destination, address);
        if (found && result.status == 0 && address != last) { // each is there for three protocols
            all.push_back(*found);
            last = address;
        }
    }
    if (all.size() == before) {
        throw_error(ErrorKind::unsupported,
                    "egress " + destination.address +
                        ": no address is known for this name (getent ahosts): check it with "
                        "getent, or give addresses");
    }
}

void add_resolvers(const Destination& destination, std::vector<Destination>& all) {
    std::vector<std::string> servers =
        is_resolver_local() ? std::vector<std::string>{forwarded_resolver} : find_name_servers();
    std::size_t before = all.size();
    constexpr std::uint16_t domain = 53;
    for (const std::string& server : servers) {
        std::optional<Destination> found = at(destination, server);
        if (found) {
            found->first_port = found->last_port = domain;
            all.push_back(*found);
        }
    }
    if (all.size() == before) {
        throw_error(ErrorKind::unsupported,
                    "egress dns: /etc/resolv.conf names no address of a name server");
    }
}

std::vector<Destination> find_addresses(const std::vector<Destination>& destinations) {
    std::vector<Destination> all;
    for (const Destination& destination : destinations) {
        if (destination.kind == Kind::name) {
            add_addresses_of_name(destination, all);
        } else if (destination.kind == Kind::resolver) {
            add_resolvers(destination, all);
        } else {
            all.push_back(destination);
        }
    }
    return all;
}

} // namespace

Destination parse_destination(const std::string& text) {
    Destination result;
    result.text = text;
    std::string_view rest = text;
    if (rest.ends_with("/udp") || rest.ends_with("/tcp")) {
        result.protocol = rest.ends_with("/udp") ? Protocol::udp : Protocol::tcp;
        rest.remove_suffix(4);
    }
    set_host(text, take_host(text, rest), result);
    take_prefix(text, rest, result);
    take_ports(text, rest, result);
    if (result.kind == Kind::resolver && result.first_port != 0) {
        refuse(text, "dns is port 53 of the name servers: it has no other");
    }
    return result;
}

void require_filterable(const Options& options) {
    if (!options.filtered) {
        return;
    }
    if (options.network != Network::pasta) {
        throw_error(ErrorKind::usage, options.network == Network::host
                                          ? "egress needs net pasta: the network of the host is "
                                            "not the sandbox's to filter"
                                          : "egress needs net pasta: without it nothing leads out");
    }
    for (const char* name : {"CAP_NET_ADMIN", "CAP_NET_RAW"}) {
        if (std::ranges::find(options.capabilities, name) != options.capabilities.end()) {
            throw_error(ErrorKind::usage, std::string("egress: with ") + name +
                                              " the program gets round the filter: leave the "
                                              "capability out");
        }
    }
}

std::string make_filter_script(const std::vector<Destination>& destinations) {
    // What goes by the loopback device is not tracked: a program could make an entry there by which
    // what it sends elsewhere would be an answer (IPV6_FREEBIND takes any source address).
    std::string script = "table inet coracle {\n"
                         "  chain untracked {\n"
                         "    type filter hook output priority raw; policy accept;\n"
                         "    oif lo notrack\n"
                         "  }\n"
                         "  chain output {\n"
                         "    type filter hook output priority filter; policy drop;\n"
                         "    oif lo accept\n"
                         "    ct state established,related accept\n"
                         "    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, "
                         "nd-router-solicit } accept\n";
    for (const Destination& destination : destinations) {
        script += make_rule(destination);
    }
    // connect(2) over IPv6 takes an ICMP error for final only once it has tried again.
    return script + "    meta l4proto tcp reject with tcp reset\n"
                    "    reject with icmpx admin-prohibited\n  }\n}\n";
}

NetworkFilter make_network_filter(const Options& options) {
    NetworkFilter filter;
    if (!options.filtered) {
        return filter;
    }
    require_filterable(options);
    filter.program = sys::find_program("nft", sys::program_search_path() + ":/usr/sbin:/sbin");
    if (filter.program.empty()) {
        throw_error(ErrorKind::unsupported,
                    "egress: nft is not in PATH or /usr/sbin: install the package nftables");
    }
    filter.script = make_filter_script(find_addresses(options.egress));
    for (const Destination& destination : options.egress) {
        filter.description += (filter.description.empty() ? "" : ", ") + destination.text;
    }
    if (filter.description.empty()) {
        filter.description = "none";
    }
    return filter;
}

} // namespace coracle::sandbox
