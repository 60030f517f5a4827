#include "coracle/host/container_facts.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/sys/file.h"

#include <cerrno>
#include <fcntl.h>
#include <optional>
#include <sys/stat.h>

namespace coracle::host {

namespace {

constexpr std::size_t max_map_bytes = std::size_t{1} << 16; // 340 lines: user_namespaces(7)

/// The namespace behind a link of /proc/PID/ns; nothing if the kernel has no such kind.
std::optional<struct stat> find_namespace(int directory, const std::string& name) {
    struct stat status {};
    if (::fstatat(directory, name.c_str(), &status, 0) == 0) {
        return status;
    }
    int saved = errno;
    if (saved == ENOENT) {
        return std::nullopt;
    }
    throw_system(saved, "look at the container's namespaces",
                 saved == EACCES || saved == EPERM ? "it is not inspectable for this user" : "");
}

bool is_foreign(int proc_fd, int directory, NamespaceKind kind) {
    std::string name = std::string("ns/") + proc_name_of(kind);
    std::optional<struct stat> theirs = find_namespace(directory, name);
    std::optional<struct stat> own = find_namespace(proc_fd, "self/" + name);
    return theirs && own && (theirs->st_ino != own->st_ino || theirs->st_dev != own->st_dev);
}

std::vector<IdMapLine> read_id_map(int directory, const char* name) {
    sys::Fd file = sys::open_at(directory, name, O_RDONLY);
    return parse_id_map(sys::read_all(file.get(), max_map_bytes, name));
}

} // namespace

std::vector<IdMapLine> parse_id_map(const std::string& text) {
    std::vector<IdMapLine> map;
    for (std::string_view line : split(text, '\n')) {
        std::vector<std::uint32_t> numbers;
        for (std::string_view word : split(line, ' ')) {
            if (word.empty()) {
                continue;
            }
            std::optional<std::uint64_t> number = parse_unsigned(word, UINT32_MAX);
            if (!number) {
                throw_error(ErrorKind::system, "an id map holds " + printable(word));
            }
            numbers.push_back(static_cast<std::uint32_t>(*number));
        }
        if (numbers.empty()) {
            continue;
        }
        if (numbers.size() != 3) {
            throw_error(ErrorKind::system, "an id map has the line " + printable(line));
        }
        map.push_back({numbers[0], numbers[1], numbers[2]});
    }
    return map;
}

ContainerFacts detect_container_facts(int proc_fd, int directory) {
    ContainerFacts facts;
    for (NamespaceKind kind : namespace_kinds()) {
        if (!is_foreign(proc_fd, directory, kind)) {
            continue;
        }
        facts.foreign_namespaces.push_back(kind);
        if (kind == NamespaceKind::user) {
            facts.uid_map = read_id_map(directory, "uid_map");
            facts.gid_map = read_id_map(directory, "gid_map");
        }
    }
    return facts;
}

} // namespace coracle::host
