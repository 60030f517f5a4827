#include "coracle/host/resctrl.h"

#include "coracle/sys/file.h"
#include "coracle/sys/mountinfo.h"

#include <fcntl.h>

namespace coracle::host {

std::string find_resctrl(int proc_fd) {
    constexpr std::size_t limit = std::size_t{64} << 20; // a line a mount
    sys::Fd file = sys::open_at(proc_fd, "self/mountinfo", O_RDONLY);
    for (const sys::MountLine& line :
         sys::parse_mountinfo(sys::read_all(file.get(), limit, "/proc/self/mountinfo"))) {
        if (line.type == "resctrl") {
            return line.point;
        }
    }
    return {};
}

} // namespace coracle::host
