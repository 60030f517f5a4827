#pragma once

#include "coracle/sandbox/options.h"

#include <string>
#include <vector>

namespace coracle::sandbox {

/// A program of the host that sets up the packet filter of a network namespace.
struct NetworkFilter {
    std::string program;     ///< nft(8), absolute; empty: no filter is asked for
    std::string script;      ///< what it reads from its standard input
    std::string description; ///< of what may be sent to, for people
};

/// Of "any", "dns", or ADDRESS[/PREFIX] or a host name with [:PORT[-PORT]][/tcp|/udp]; an address
/// of IPv6 is in brackets if a port follows. Throws: usage.
[[nodiscard]] Destination parse_destination(const std::string& text);

/// Refuses what filters nothing: no network of its own, or a capability that gets round it.
/// Throws: usage.
void require_filterable(const Options& options);

/// The filter that the options ask for: what is not named is refused at once. Asks getent(1) for
/// the addresses of names, now and never again. Runs in: parent, before anything is made. Throws:
/// usage; unsupported, naming the package, without nft, and for a name without an address.
[[nodiscard]] NetworkFilter make_network_filter(const Options& options);

/// The rules, given the addresses of the destinations (those of names and of the resolver
/// replaced).
[[nodiscard]] std::string make_filter_script(const std::vector<Destination>& destinations);

} // namespace coracle::sandbox
