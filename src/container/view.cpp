#include "view_private.h"

#include "coracle/base/error.h"
#include "coracle/base/passwd.h"
#include "coracle/sys/file.h"

#include <fcntl.h>

namespace coracle::container {

namespace {

constexpr std::size_t max_passwd_bytes = std::size_t{4} << 20;

} // namespace

std::string owner_name(std::uint32_t uid) {
    std::string fallback = "#" + std::to_string(uid);
    try {
        std::string text = sys::read_regular_file(AT_FDCWD, "/etc/passwd", max_passwd_bytes);
        std::optional<PasswdEntry> entry = find_passwd_entry(text, uid);
        return entry ? std::string(entry->name) : fallback;
    } catch (const Error&) { // catch: the number says it as well
        return fallback;
    }
}

spec::ContainerView make_view(const spec::Record& record, Status status) {
    spec::ContainerView view;
    view.oci_version = record.oci_version;
    view.id = record.id;
    view.pid = is_alive(status) ? record.pid : 0;
    view.status = name_of(status);
    view.bundle = record.bundle;
    view.rootfs = record.rootfs;
    view.created = record.created;
    view.annotations = record.annotations;
    view.degradations = record.degradations;
    view.cgroup = record.cgroup              ? record.cgroup->path + record.cgroup->sub
                  : record.no_cgroup.empty() ? ""
                                             : "none: " + record.no_cgroup;
    return view;
}

} // namespace coracle::container
