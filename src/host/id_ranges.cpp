#include "coracle/host/id_ranges.h"

#include "coracle/base/error.h"
#include "coracle/base/passwd.h"
#include "coracle/base/text.h"
#include "coracle/sys/file.h"
#include "coracle/sys/program.h"

#include <chrono>
#include <fcntl.h>
#include <string_view>

namespace coracle::host {

namespace {

constexpr std::size_t max_file_bytes = std::size_t{16} << 20;
constexpr std::chrono::seconds name_service_patience{10};

/// The text of a file of the host, nothing if it cannot be read: a host without /etc/subuid has no
/// ranges, and one with an unreadable file tells its user so by newuidmap.
std::string read_host_file(const std::string& path) {
    sys::Fd file;
    if (sys::try_open_at(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, file) != 0) {
        return {};
    }
    return sys::read_all(file.get(), max_file_bytes, path);
}

std::string_view trim(std::string_view text) {
    constexpr std::string_view blanks = " \t\r";
    std::size_t first = text.find_first_not_of(blanks);
    if (first == std::string_view::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

std::optional<IdRange> make_range(std::string_view first, std::string_view count) {
    std::optional<std::uint64_t> start = parse_unsigned(trim(first), UINT32_MAX - 1);
    std::optional<std::uint64_t> size = parse_unsigned(trim(count), UINT32_MAX);
    if (!start || !size || *size == 0 || *start + *size > UINT32_MAX) {
        return std::nullopt;
    }
    return IdRange{static_cast<std::uint32_t>(*start), static_cast<std::uint32_t>(*size)};
}

std::string find_user_name(const std::string& passwd, std::uint32_t uid) {
    std::optional<PasswdEntry> entry = find_passwd_entry(passwd, uid);
    return entry ? std::string(entry->name) : std::string();
}

/// What a program of the host prints, nothing if it fails or is not there.
std::string ask(const std::string& name, const std::vector<std::string>& arguments,
                const std::string& search_path) {
    std::string program = sys::find_program(name, search_path);
    if (program.empty()) {
        return {};
    }
    sys::ProgramResult result = sys::run_program(program, arguments, name_service_patience);
    return result.status == 0 ? result.output : std::string();
}

} // namespace

std::vector<IdRange> parse_subid(const std::string& text, const std::string& user,
                                 std::uint32_t uid) {
    std::vector<IdRange> ranges;
    for (std::string_view line : split(text, '\n')) {
        std::vector<std::string_view> fields = split(line, ':');
        if (fields.size() != 3) {
            continue;
        }
        std::string_view owner = trim(fields[0]);
        bool ours = (!user.empty() && owner == user) || parse_unsigned(owner, UINT32_MAX) == uid;
        std::optional<IdRange> range = ours ? make_range(fields[1], fields[2]) : std::nullopt;
        if (range) {
            ranges.push_back(*range);
        }
    }
    return ranges;
}

std::vector<IdRange> parse_getsubids(const std::string& text) {
    std::vector<IdRange> ranges;
    for (std::string_view line : split(text, '\n')) {
        std::vector<std::string_view> words = split(trim(line), ' ');
        if (words.size() != 4 || !words[0].ends_with(':')) {
            continue;
        }
        std::optional<IdRange> range = make_range(words[2], words[3]);
        if (range) {
            ranges.push_back(*range);
        }
    }
    return ranges;
}

bool names_other_subid_source(const std::string& nsswitch) {
    for (std::string_view line : split(nsswitch, '\n')) {
        std::string_view setting = trim(line.substr(0, line.find('#')));
        constexpr std::string_view key = "subid:";
        if (setting.starts_with(key)) {
            return trim(setting.substr(key.size())) != "files";
        }
    }
    return false;
}

IdRanges detect_id_ranges(std::uint32_t uid) {
    IdRanges ranges;
    ranges.search_path = sys::program_search_path();
    ranges.newuidmap = sys::find_program("newuidmap", ranges.search_path);
    ranges.newgidmap = sys::find_program("newgidmap", ranges.search_path);
    ranges.user = find_user_name(read_host_file("/etc/passwd"), uid);
    if (ranges.user.empty()) { // a user of LDAP or another name service
        ranges.user =
            find_user_name(ask("getent", {"passwd", std::to_string(uid)}, ranges.search_path), uid);
    }
    if (!ranges.user.empty() && names_other_subid_source(read_host_file("/etc/nsswitch.conf"))) {
        ranges.uids = parse_getsubids(ask("getsubids", {ranges.user}, ranges.search_path));
        ranges.gids = parse_getsubids(ask("getsubids", {"-g", ranges.user}, ranges.search_path));
        return ranges;
    }
    ranges.uids = parse_subid(read_host_file("/etc/subuid"), ranges.user, uid);
    ranges.gids = parse_subid(read_host_file("/etc/subgid"), ranges.user, uid);
    return ranges;
}

} // namespace coracle::host
