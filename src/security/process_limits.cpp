#include "coracle/security/process_limits.h"

#include "coracle/base/error.h"
#include "coracle/base/names.h"

#include <sys/resource.h>

#include <cerrno>
#include <string>

namespace coracle::security {
namespace {

std::string describe_value(rlim_t value) {
    return value == RLIM_INFINITY ? "unlimited" : std::to_string(value);
}

std::string describe_limit(int resource) {
    const char* const name = rlimit_name(resource);
    return name != nullptr ? name : "resource limit " + std::to_string(resource);
}

/// What the kernel held against `wanted`, beginning with "; ", or nothing.
/// Source: getrlimit(2), do_prlimit of kernel/sys.c.
std::string describe_cause(int errnum, int resource, const rlimit& wanted) {
    if (errnum == EINVAL && wanted.rlim_cur > wanted.rlim_max) {
        return "; the soft limit must not be above the hard one";
    }
    rlimit current = {};
    if (errnum != EPERM ||
        prlimit(0, static_cast<__rlimit_resource>(resource), nullptr, &current) != 0) {
        return "";
    }
    std::string text = "; the hard limit here is " + describe_value(current.rlim_max) +
                       " and raising it needs CAP_SYS_RESOURCE in the initial user namespace";
    if (resource == RLIMIT_NOFILE) {
        text += "; nobody may go above fs.nr_open";
    }
    return text;
}

void apply_rlimit(const plan::RlimitPlan& limit) {
    const rlimit wanted = {limit.soft, limit.hard};
    if (prlimit(0, static_cast<__rlimit_resource>(limit.resource), &wanted, nullptr) != 0) {
        const int errnum = errno;
        throw Error(ErrorKind::system,
                    "set " + describe_limit(limit.resource) + " to soft " +
                        describe_value(wanted.rlim_cur) + ", hard " +
                        describe_value(wanted.rlim_max) + ": " + describe_errno(errnum) +
                        describe_cause(errnum, limit.resource, wanted),
                    errnum);
    }
}

} // namespace

void apply_rlimits(const std::vector<plan::RlimitPlan>& rlimits) {
    for (const plan::RlimitPlan& limit : rlimits) {
        apply_rlimit(limit);
    }
}

} // namespace coracle::security
