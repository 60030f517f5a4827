#include "coracle/host/landlock.h"

#include "coracle/base/error.h"
#include "coracle/sys/landlock.h"

#include <cerrno>

namespace coracle::host {

LandlockFacts detect_landlock() {
    LandlockFacts facts;
    int errnum = sys::try_get_landlock_version(facts.abi);
    if (errnum == ENOSYS) {
        facts.problem =
            "this kernel has no Landlock: it is older than Linux 5.13, or built without";
    } else if (errnum == EOPNOTSUPP) {
        facts.problem = "Landlock is not enabled in this kernel: boot with lsm=landlock,...";
    } else if (errnum != 0) {
        facts.problem =
            "Landlock cannot be had: landlock_create_ruleset: " + describe_errno(errnum) +
            " (the seccomp profile of an outer container refuses it: allow it there)";
    }
    return facts;
}

} // namespace coracle::host
