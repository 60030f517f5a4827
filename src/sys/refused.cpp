#include "coracle/sys/refused.h"

#include <cerrno>
#include <unistd.h>

namespace coracle::sys {

bool is_refused(long number) noexcept {
    // -1 is no descriptor, no address and no set of flags.
    constexpr long nothing = -1;
    return ::syscall(number, nothing, nothing, nothing, nothing, nothing, nothing) < 0 &&
           (errno == ENOSYS || errno == EPERM);
}

bool is_refused(long number, int errnum) noexcept {
    return (errnum == ENOSYS || errnum == EPERM) && is_refused(number);
}

std::string describe_refusal(long number, int errnum) {
    return is_refused(number, errnum)
               ? " (the kernel does not have this system call, or the seccomp profile of an outer "
                 "container refuses it: allow it there)"
               : "";
}

} // namespace coracle::sys
