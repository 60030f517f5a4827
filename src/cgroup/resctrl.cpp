#include "coracle/cgroup/resctrl.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/sys/file.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <optional>
#include <string_view>

namespace coracle::cgroup {

namespace {

constexpr std::size_t max_text = std::size_t{1} << 16;
constexpr const char* pointer = "/linux/intelRdt";

std::string read_text(const std::string& path) {
    sys::Fd file = sys::open_at(AT_FDCWD, path, O_RDONLY);
    return sys::read_all(file.get(), max_text, path);
}

/// The kernel says in a file what was wrong with the last command; "" if it cannot be read.
std::string explain(const std::string& mount_point, int errnum) {
    if (errnum == EACCES || errnum == EPERM) {
        return "resctrl belongs to root of the host";
    }
    try {
        std::string text = read_text(mount_point + "/info/last_cmd_status");
        return printable(std::string_view(text).substr(0, text.find('\n')));
    } catch (const Error&) { // catch: an explanation only
        return {};
    }
}

void write_line(const plan::ResctrlPlan& plan, const std::string& file, const std::string& line) {
    int errnum = sys::try_write_file(AT_FDCWD, file, line + "\n");
    if (errnum != 0) {
        throw_system(errnum,
                     std::string(pointer) + ": write " + printable(line) + " to " + printable(file),
                     explain(plan.mount_point, errnum));
    }
}

std::string_view without_blanks(std::string_view text) {
    std::size_t first = std::min(text.find_first_not_of(" \t"), text.size());
    text.remove_prefix(first);
    return text.substr(0, text.find_last_not_of(" \t\r") + 1);
}

/// "00f" is "f", and "0" stays.
std::string plain_mask(std::string_view text) {
    std::string mask = to_lower(without_blanks(text));
    mask.erase(0, std::min(mask.find_first_not_of('0'), mask.empty() ? 0 : mask.size() - 1));
    return mask;
}

struct Schema {
    std::string resource;
    std::vector<std::pair<std::string, std::string>> domains;
};

Schema parse_schema(std::string_view line) {
    Schema schema;
    std::size_t colon = std::min(line.find(':'), line.size());
    schema.resource = std::string(without_blanks(line.substr(0, colon)));
    std::string_view rest = colon == line.size() ? std::string_view() : line.substr(colon + 1);
    for (std::string_view domain : split(rest, ';')) {
        std::size_t equals = domain.find('=');
        if (equals != std::string_view::npos) {
            schema.domains.emplace_back(without_blanks(domain.substr(0, equals)),
                                        plain_mask(domain.substr(equals + 1)));
        }
    }
    return schema;
}

bool try_make(const std::string& path, const std::string& mount_point) {
    int errnum = sys::try_make_directory(AT_FDCWD, path, 0755);
    if (errnum == EEXIST) {
        return false;
    }
    if (errnum != 0) {
        throw_system(errnum, std::string(pointer) + ": make the group " + printable(path),
                     errnum == ENOSPC ? "the hardware has no more classes or monitors"
                                      : explain(mount_point, errnum));
    }
    return true;
}

void require_same_schema(const std::string& directory, const plan::ResctrlPlan& plan) {
    std::string schemata = read_text(directory + "/schemata");
    for (const std::string& wanted : plan.own_schemas) {
        if (!has_schema(schemata, wanted)) {
            throw_error(ErrorKind::invalid_config,
                        std::string(pointer) + ": the group " + printable(directory) +
                            " is there with another schema than " + printable(wanted) +
                            ": leave the schema out to use it as it is, or name another closID");
        }
    }
}

} // namespace

bool has_schema(const std::string& schemata, const std::string& wanted) {
    const Schema asked = parse_schema(wanted);
    for (std::string_view line : split(schemata, '\n')) {
        const Schema there = parse_schema(line);
        if (there.resource == asked.resource) {
            return !asked.domains.empty() &&
                   std::all_of(asked.domains.begin(), asked.domains.end(), [&](const auto& domain) {
                       return std::find(there.domains.begin(), there.domains.end(), domain) !=
                              there.domains.end();
                   });
        }
    }
    return false;
}

Resctrl::~Resctrl() {
    std::for_each(made_.rbegin(), made_.rend(), [](const std::string& path) {
        (void)sys::try_unlink(AT_FDCWD, path, AT_REMOVEDIR);
    });
}

void Resctrl::make_group(const plan::ResctrlPlan& plan, const std::string& directory) {
    if (plan.group.empty()) { // the root, which is there
        return;
    }
    bool asks_for_schema = !plan.own_schemas.empty() || !plan.schemata.empty();
    if (plan.owned || asks_for_schema) {
        if (try_make(directory, plan.mount_point)) {
            made_.push_back(directory);
            for (const std::string& line : plan.own_schemas) {
                write_line(plan, directory + "/schemata", line);
            }
            return;
        }
        if (plan.owned) {
            throw_system(EEXIST, std::string(pointer) + ": make the group " + printable(directory),
                         "another container or the host uses it");
        }
    }
    sys::Fd there;
    int errnum = sys::try_open_at(AT_FDCWD, directory, O_PATH | O_DIRECTORY, 0, there);
    if (errnum != 0) {
        throw_system(errnum, std::string(pointer) + "/closID: " + printable(directory),
                     "a closID without a schema names a group that is there already");
    }
    require_same_schema(directory, plan);
}

void Resctrl::apply(const plan::ResctrlPlan& plan, pid_t pid) {
    std::string directory = plan.mount_point + (plan.group.empty() ? "" : "/" + plan.group);
    make_group(plan, directory);
    for (const std::string& line : plan.schemata) {
        write_line(plan, directory + "/schemata", line);
    }
    write_line(plan, directory + "/tasks", std::to_string(pid));
    if (plan.monitor_group.empty()) {
        return;
    }
    std::string monitor = directory + "/mon_groups/" + plan.monitor_group;
    if (!try_make(monitor, plan.mount_point)) {
        throw_system(EEXIST, std::string(pointer) + ": make the group " + printable(monitor));
    }
    made_.push_back(monitor);
    write_line(plan, monitor + "/tasks", std::to_string(pid));
}

void remove_resctrl_groups(const std::string& mount_point, const std::vector<std::string>& groups) {
    if (mount_point.empty()) { // unmounted since: the groups have gone with it
        return;
    }
    for (const std::string& group : groups) {
        std::string path = mount_point + "/" + group;
        int errnum = sys::try_unlink(AT_FDCWD, path, AT_REMOVEDIR);
        if (errnum != 0 && errnum != ENOENT) {
            throw_system(errnum, "remove the resctrl group " + printable(path));
        }
    }
}

} // namespace coracle::cgroup
