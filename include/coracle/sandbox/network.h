#pragma once

#include "coracle/sandbox/options.h"

#include <string>
#include <vector>

namespace coracle::sandbox {

/// Where pasta forwards questions for names to, if the host's resolver is on the host's loopback.
inline constexpr const char* forwarded_resolver = "169.254.1.1";

/// The words after "nameserver" in the host's /etc/resolv.conf. Throws: system.
[[nodiscard]] std::vector<std::string> find_name_servers();

/// Whether every name server of the host's /etc/resolv.conf is on its loopback, where a network of
/// its own does not reach it; false if there is none. Throws: system.
[[nodiscard]] bool is_resolver_local();

/// The command line of pasta(1), but for the namespaces: nothing of the host's loopback is reached
/// through it, and no port is forwarded but those that are published. Empty unless the options ask
/// for it. Changes nothing. Runs in: parent, before anything is made.
/// Throws: unsupported, naming the package, if it is not installed, or what it needs is missing.
[[nodiscard]] std::vector<std::string> make_pasta_command(const Options& options);

/// Of "[ADDRESS:]PORT[-PORT][:PORT[-PORT]][/udp|/tcp]", an address of IPv6 in brackets; without one
/// it is 127.0.0.1. Throws: usage.
[[nodiscard]] PublishedPort parse_published_port(const std::string& text);

} // namespace coracle::sandbox
