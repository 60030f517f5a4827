#include "coracle/sandbox/network.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/host/detect.h"
#include "coracle/sys/fd.h"
#include "coracle/sys/file.h"
#include "coracle/sys/program.h"
#include "settings_private.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <optional>
#include <string_view>

namespace coracle::sandbox {

namespace {

constexpr const char* form =
    "must be [ADDRESS:]PORT[:PORT][/udp|/tcp], ports from 1 to 65535 or a range like 80-89, an "
    "address of IPv6 in brackets";

std::uint16_t parse_port(const std::string& whole, std::string_view text, const char* expected) {
    std::optional<std::uint64_t> port = parse_unsigned(text, UINT16_MAX);
    if (!port || *port == 0) {
        refuse(whole, expected);
    }
    return static_cast<std::uint16_t>(*port);
}

/// "80", or "80-89".
std::string show_ports(std::uint16_t first, std::uint16_t count) {
    return std::to_string(first) + (count == 1 ? "" : "-" + std::to_string(first + count - 1));
}

bool is_address(int family, const std::string& text) {
    std::array<unsigned char, sizeof(struct in6_addr)> bytes{};
    return ::inet_pton(family, text.c_str(), bytes.data()) == 1;
}

/// Takes the address and its colon from the front of `text`.
std::string take_address(const std::string& whole, std::string_view& text) {
    bool bracketed = text.starts_with('[');
    std::size_t first = text.find(':');
    std::size_t end = bracketed ? text.find("]:") : first;
    if (!bracketed && text.find('.') == std::string_view::npos) {
        return "127.0.0.1"; // ports alone
    }
    if (end == std::string_view::npos) {
        refuse(whole, "the port is missing: ADDRESS:PORT");
    }
    std::string address(bracketed ? text.substr(1, end - 1) : text.substr(0, end));
    if (!is_address(bracketed ? AF_INET6 : AF_INET, address)) {
        refuse(whole, printable(address) + " is not an address");
    }
    text.remove_prefix(bracketed ? end + 2 : end + 1);
    return address;
}

/// tun(4): pasta opens it in the sandbox's network.
void require_tun() {
    sys::Fd device;
    int errnum = sys::try_open_at(AT_FDCWD, "/dev/net/tun", O_RDWR, 0, device);
    if (errnum != 0) {
        throw_error(ErrorKind::unsupported,
                    "net pasta: /dev/net/tun: " + describe_errno(errnum) +
                        (errnum == EACCES ? " (pasta makes the device of the sandbox with it: "
                                            "the administrator allows it to all by chmod 0666)"
                                          : " (load the kernel module tun)"));
    }
}

void add_ports(const Options& options, Protocol protocol, const char* option,
               std::vector<std::string>& command) {
    bool none = true;
    for (const PublishedPort& port : options.published) {
        if (port.protocol == protocol) {
            none = false;
            command.insert(command.end(),
                           {option, port.address + "/" + show_ports(port.host_port, port.count) +
                                        ":" + show_ports(port.port, port.count)});
        }
    }
    if (none) {
        command.insert(command.end(), {option, "none"}); // pasta's default is every port
    }
}

} // namespace

Ports parse_ports(const std::string& whole, std::string_view text, const char* expected) {
    std::size_t dash = text.find('-');
    std::uint16_t first = parse_port(whole, text.substr(0, dash), expected);
    std::uint16_t last =
        dash == std::string_view::npos ? first : parse_port(whole, text.substr(dash + 1), expected);
    if (last < first) {
        refuse(whole, "the last port is before the first");
    }
    return {first, static_cast<std::uint16_t>(last - first + 1)};
}

PublishedPort parse_published_port(const std::string& text) {
    std::string_view rest = text;
    PublishedPort result;
    if (rest.ends_with("/udp")) {
        result.protocol = Protocol::udp;
    }
    if (rest.ends_with("/udp") || rest.ends_with("/tcp")) {
        rest.remove_suffix(4);
    }
    result.address = take_address(text, rest);
    std::size_t colon = rest.find(':');
    Ports outside = parse_ports(text, rest.substr(0, colon), form);
    Ports inside =
        colon == std::string_view::npos ? outside : parse_ports(text, rest.substr(colon + 1), form);
    if (inside.count != outside.count) {
        refuse(text, "as many ports must be on both sides of the colon");
    }
    result.host_port = outside.first;
    result.port = inside.first;
    result.count = outside.count;
    return result;
}

std::vector<std::string> find_name_servers() {
    std::vector<std::string> servers;
    sys::Fd file;
    if (sys::try_open_at(AT_FDCWD, "/etc/resolv.conf", O_RDONLY, 0, file) != 0) {
        return servers;
    }
    constexpr std::size_t longest = std::size_t{64} << 10;
    std::string text = sys::read_all(file.get(), longest, "/etc/resolv.conf");
    for (std::string_view line : split(text, '\n')) {
        constexpr std::string_view word = "nameserver";
        constexpr std::string_view blank = " \t";
        if (!line.starts_with(word)) {
            continue;
        }
        line.remove_prefix(word.size());
        std::size_t begin = line.find_first_not_of(blank);
        if (begin == std::string_view::npos) {
            servers.emplace_back();
            continue;
        }
        line.remove_prefix(begin);
        servers.emplace_back(line.substr(0, line.find_first_of(blank)));
    }
    return servers;
}

bool is_resolver_local() {
    std::vector<std::string> servers = find_name_servers();
    return !servers.empty() && std::ranges::all_of(servers, [](const std::string& server) {
        return server.starts_with("127.") || server.starts_with("::1");
    });
}

std::vector<std::string> make_pasta_command(const Options& options) {
    if (options.network != Network::pasta) {
        return {};
    }
    std::string program = sys::find_program("pasta", sys::program_search_path());
    if (program.empty()) {
        throw_error(ErrorKind::unsupported,
                    "net pasta: pasta is not in PATH: install the package passt");
    }
    require_tun();
    std::vector<std::string> command{program, "--quiet", "--config-net", "--no-map-gw"};
    if (host::effective_uid() == 0) { // else it becomes nobody, and may not join
        command.insert(command.end(), {"--runas", "0"});
    }
    add_ports(options, Protocol::tcp, "-t", command);
    add_ports(options, Protocol::udp, "-u", command);
    command.insert(command.end(), {"-T", "none", "-U", "none"});
    if (is_resolver_local()) {
        command.insert(command.end(), {"--dns-forward", forwarded_resolver});
    }
    return command;
}

} // namespace coracle::sandbox
