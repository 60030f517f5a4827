#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

/// What a person asks of a sandbox, from the command line and from profiles.
namespace coracle::sandbox {

enum class Access { read_only, writable };
enum class Missing { is_error, is_left_out };

/// A directory or file of the host in the sandbox.
struct Share {
    std::string source;      ///< absolute
    std::string destination; ///< absolute, clean
    Access access{};
    Missing missing{};
    bool devices = false; ///< device nodes in it work
};

struct EmptyDirectory {
    std::string path;
    std::string size;         ///< in bytes, as text; empty: half of the memory
    bool shared_mode = false; ///< everybody may write to it, as to /tmp
};

struct Symlink {
    std::string path;
    std::string target;
};

struct MadeFile {
    std::string path;
    std::string content;
    std::uint32_t mode = 0;
    bool secret = false; ///< never on a disk
};

/// Writes below `path` go to a layer, and the host's files stay as they are.
struct Overlay {
    std::string path;
};

enum class Network {
    none,
    host,
    pasta, ///< of its own, with the host's addresses and ways out by pasta(1)
};

enum class Protocol { tcp, udp };

/// Ports of the host that lead into the sandbox.
struct PublishedPort {
    std::string address; ///< of the host, in numbers
    std::uint16_t host_port = 0;
    std::uint16_t port = 0;  ///< in the sandbox
    std::uint16_t count = 1; ///< of ports, from each of these on
    Protocol protocol = Protocol::tcp;
};

/// Where a sandbox may send to.
struct Destination {
    std::string text;    ///< as it was given
    std::string address; ///< in numbers, with /PREFIX or without, or a host name; empty: any
    enum class Kind { any, ipv4, ipv6, name, resolver } kind = Kind::any;
    std::uint16_t first_port = 0; ///< 0: every port
    std::uint16_t last_port = 0;
    std::optional<Protocol> protocol; ///< without: every one, or both if there are ports
};

enum class Ids {
    own,    ///< the caller's uid and gid alone
    ranges, ///< and the caller's ranges in subuid(5) and subgid(5)
};

enum class Wall { as_far_as_possible, off, required };

struct Rlimit {
    std::string type; ///< "RLIMIT_NOFILE"
    std::uint64_t soft = 0;
    std::uint64_t hard = 0;
};

struct Options {
    std::vector<std::string> command;

    std::string rootfs; ///< absolute; empty: the host's own files
    bool writable_root = false;
    std::vector<Share> shares;
    std::vector<EmptyDirectory> empty_directories;
    std::vector<Symlink> symlinks;
    std::vector<MadeFile> files;
    std::vector<Overlay> overlays;
    std::string overlay_to; ///< absolute directory of the layers; empty: thrown away
    std::vector<std::string> hidden;

    std::map<std::string, std::string> environment;
    std::vector<std::string> passed_environment;
    bool clear_environment = false; ///< not even the usual few

    std::optional<std::uint32_t> uid;
    std::optional<std::uint32_t> gid;
    Ids ids = Ids::own;
    std::string hostname;
    std::string directory; ///< to start in; empty: the caller's, if it is there
    bool terminal = false;
    std::vector<std::string> capabilities; ///< "CAP_CHOWN"

    Network network = Network::none;
    std::vector<PublishedPort> published; ///< with Network::pasta
    bool filtered = false;                ///< with Network::pasta: only to `egress`
    std::vector<Destination> egress;

    std::vector<std::string> seccomp; ///< words for compose_seccomp, or a file; empty: the default
    Wall landlock = Wall::as_far_as_possible;
    bool nested_user_namespaces = false;
    bool core_scheduling = true;

    std::optional<std::int64_t> memory; ///< bytes
    std::optional<std::int64_t> pids;
    std::optional<double> cpus;
    std::optional<std::chrono::milliseconds> timeout;
    std::vector<Rlimit> rlimits;
    bool die_with_parent = false;
};

} // namespace coracle::sandbox
