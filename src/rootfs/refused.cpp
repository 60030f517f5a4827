#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/sys/file.h"
#include "coracle/sys/mountinfo.h"
#include "rootfs_private.h"

#include <fcntl.h>

namespace coracle::rootfs {

std::string explain_refused_proc() {
    try {
        sys::Fd file = sys::open_at(AT_FDCWD, "/proc/self/mountinfo", O_RDONLY);
        std::string text = sys::read_all(file.get(), std::size_t{64} << 20, "/proc/self/mountinfo");
        for (const sys::MountLine& line : sys::parse_mountinfo(text)) {
            // ".../task" holds our own mounts where the kernel has no detached ones.
            if (line.point.starts_with("/proc/") && !line.point.ends_with("/task") &&
                line.point != "/proc/sys/fs/binfmt_misc") {
                return "a mount hides part of /proc, " + printable(line.point) +
                       ", so the kernel allows no new one here: start the outer container with "
                       "all of /proc, as with --security-opt systempaths=unconfined or procMount: "
                       "Unmasked, or bind /proc";
            }
        }
    } catch (const Error&) { // catch: only decorates another error
        return {};
    }
    return "proc needs a pid namespace of the same user namespace: add \"pid\" to "
           "linux.namespaces, or bind /proc";
}

} // namespace coracle::rootfs
