#include "coracle/sys/landlock.h"

#include "coracle/base/error.h"
#include "coracle/sys/refused.h"

#include <cerrno>
#include <sys/syscall.h>
#include <unistd.h>

namespace coracle::sys {

namespace {

constexpr std::uint32_t version_flag = 1; // LANDLOCK_CREATE_RULESET_VERSION
constexpr int path_beneath_rule = 1;      // LANDLOCK_RULE_PATH_BENEATH
constexpr int net_port_rule = 2;          // LANDLOCK_RULE_NET_PORT, Linux 6.7

/// struct landlock_path_beneath_attr.
struct [[gnu::packed]] PathBeneath {
    std::uint64_t allowed_access;
    std::int32_t parent_fd;
};
static_assert(sizeof(PathBeneath) == 12);

/// struct landlock_net_port_attr.
struct NetPort {
    std::uint64_t allowed_access;
    std::uint64_t port;
};

int errno_of(long answer) noexcept {
    return answer < 0 ? errno : 0;
}

} // namespace

int try_get_landlock_version(int& version) noexcept {
    long answer = ::syscall(SYS_landlock_create_ruleset, nullptr, 0UL, version_flag);
    int errnum = errno_of(answer);
    version = errnum == 0 ? static_cast<int>(answer) : 0;
    return errnum;
}

Fd make_landlock_ruleset(const LandlockHandled& handled) {
    // struct landlock_ruleset_attr: an older kernel takes a longer one whose rest is 0.
    Fd ruleset{
        static_cast<int>(::syscall(SYS_landlock_create_ruleset, &handled, sizeof handled, 0U))};
    if (!ruleset) {
        int saved = errno;
        throw_system(saved, "landlock_create_ruleset" +
                                describe_refusal(SYS_landlock_create_ruleset, saved));
    }
    return ruleset;
}

int try_allow_path(int ruleset, int path, std::uint64_t rights) noexcept {
    PathBeneath rule{rights, path};
    return errno_of(::syscall(SYS_landlock_add_rule, ruleset, path_beneath_rule, &rule, 0U));
}

int try_allow_port(int ruleset, std::uint16_t port, std::uint64_t rights) noexcept {
    NetPort rule{rights, port};
    return errno_of(::syscall(SYS_landlock_add_rule, ruleset, net_port_rule, &rule, 0U));
}

} // namespace coracle::sys
