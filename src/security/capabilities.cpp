#include "coracle/security/capabilities.h"

#include "coracle/base/error.h"
#include "coracle/base/names.h"

#include <array>
#include <cerrno>
#include <cstddef>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <string>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace coracle::security {
namespace {

constexpr int mask_width = 64;

struct Sets {
    std::uint64_t permitted = 0;
    std::uint64_t effective = 0;
    std::uint64_t inheritable = 0;
};

constexpr std::uint64_t bit(int number) {
    return std::uint64_t{1} << number;
}

std::string describe_capability(int number) {
    const char* const name = capability_name(number);
    return name != nullptr ? name : "capability " + std::to_string(number);
}

/// The halves of the three sets. Source: capget(2), _LINUX_CAPABILITY_VERSION_3.
using Halves = std::array<struct __user_cap_data_struct, 2>;

struct __user_cap_header_struct make_header() {
    struct __user_cap_header_struct header {};
    header.version = _LINUX_CAPABILITY_VERSION_3;
    return header;
}

std::uint64_t find_permitted() {
    struct __user_cap_header_struct header = make_header();
    Halves halves{};
    if (::syscall(SYS_capget, &header, halves.data()) != 0) {
        const int errnum = errno;
        throw_system(errnum, "read the capabilities of this process");
    }
    return halves[0].permitted | static_cast<std::uint64_t>(halves[1].permitted) << 32U;
}

void set_sets(const Sets& sets) {
    struct __user_cap_header_struct header = make_header();
    Halves halves{};
    for (std::size_t i = 0; i < halves.size(); ++i) {
        halves[i].permitted = static_cast<std::uint32_t>(sets.permitted >> (32 * i));
        halves[i].effective = static_cast<std::uint32_t>(sets.effective >> (32 * i));
        halves[i].inheritable = static_cast<std::uint32_t>(sets.inheritable >> (32 * i));
    }
    if (::syscall(SYS_capset, &header, halves.data()) != 0) {
        const int errnum = errno;
        std::string what = "set the permitted, effective and inheritable capabilities";
        if (errnum == EPERM) {
            what += " (what is inheritable must be in the bounding set)";
        }
        throw_system(errnum, what);
    }
}

void clear_ambient() {
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) {
        const int errnum = errno;
        throw_system(errnum, "clear the ambient capabilities");
    }
}

void raise_ambient(std::uint64_t mask) {
    for (int number = 0; number < mask_width; ++number) {
        if ((mask & bit(number)) == 0) {
            continue;
        }
        if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number, 0, 0) != 0) {
            const int errnum = errno;
            std::string what = "raise " + describe_capability(number) + " in the ambient set";
            if (errnum == EPERM) {
                what += " (it must be permitted and inheritable as well)";
            }
            throw_system(errnum, what);
        }
    }
}

} // namespace

void leave_to_program(std::uint64_t mask) {
    if (prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED, 0, 0, 0) != 0) {
        const int errnum = errno;
        throw_system(errnum, "give uid 0 no capabilities by itself");
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        const int errnum = errno;
        throw_system(errnum, "set no_new_privs");
    }
    set_sets(Sets{mask, mask, mask});
    clear_ambient();
    raise_ambient(mask);
}

void raise_all_ambient() {
    const std::uint64_t permitted = find_permitted();
    set_sets(Sets{permitted, permitted, permitted});
    raise_ambient(permitted);
}

void apply_bounding_set(const plan::CapabilityPlan& capabilities, int last_capability) {
    for (int number = 0; number <= last_capability; ++number) {
        if ((capabilities.bounding & bit(number)) != 0) {
            continue;
        }
        if (prctl(PR_CAPBSET_DROP, number, 0, 0, 0) != 0) {
            const int errnum = errno;
            std::string what = "drop " + describe_capability(number) + " from the bounding set";
            if (errnum == EPERM) {
                what += " (this needs CAP_SETPCAP)";
            }
            throw_system(errnum, what);
        }
    }
    clear_ambient();
}

void apply_capability_sets(const plan::CapabilityPlan& capabilities, std::uint64_t keep) {
    const std::uint64_t available = find_permitted();
    Sets sets;
    sets.permitted = (capabilities.permitted | keep) & available;
    // The kernel refuses an effective capability that is not permitted.
    sets.effective = (capabilities.effective | keep) & sets.permitted;
    sets.inheritable = capabilities.inheritable & available;
    // What is ambient now would else be raised still, where permitted and inheritable allow it.
    clear_ambient();
    set_sets(sets);
    raise_ambient(capabilities.ambient & available);
}

} // namespace coracle::security
