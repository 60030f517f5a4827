#include "ownership_private.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/sys/file.h"

#include <cerrno>
#include <fcntl.h>

namespace coracle::cgroup {

namespace {

constexpr const char* list = "/sys/kernel/cgroup/delegate";

std::vector<std::string> delegated_files() {
    sys::Fd file;
    if (sys::try_open_at(AT_FDCWD, list, O_RDONLY, 0, file) != 0) {
        return {"cgroup.procs", "cgroup.subtree_control", "cgroup.threads"};
    }
    constexpr std::size_t limit = 65536;
    std::string text = sys::read_all(file.get(), limit, list);
    std::vector<std::string> names;
    for (std::string_view name : split(text, '\n')) {
        if (is_path_component(name)) {
            names.emplace_back(name);
        }
    }
    return names;
}

void give(int dir_fd, const std::string& file, std::uint32_t uid, const std::string& name) {
    int errnum = sys::try_change_owner(dir_fd, file, uid);
    if (errnum != 0 && errnum != ENOENT) { // ENOENT: of a controller that the cgroup does not have
        throw_system(errnum,
                     "give " + printable(name + "/" + file) + " to uid " + std::to_string(uid));
    }
}

} // namespace

void give_delegated_files(const Directory& cgroup, std::uint32_t uid) {
    give(cgroup.fd(), "", uid, cgroup.name());
    for (const std::string& file : delegated_files()) {
        give(cgroup.fd(), file, uid, cgroup.name());
    }
}

} // namespace coracle::cgroup
