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

} // namespace coracle::sys
