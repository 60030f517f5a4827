#include "coracle/security/capabilities.h"

#include "coracle/base/error.h"
#include "coracle/base/names.h"

#include <sys/capability.h>
#include <sys/prctl.h>

#include <cerrno>
#include <memory>
#include <string>
#include <type_traits>

namespace coracle::security {
namespace {

constexpr int mask_width = 64;

struct FreeState {
    void operator()(cap_t state) const noexcept { cap_free(state); }
};
using State = std::unique_ptr<std::remove_pointer_t<cap_t>, FreeState>;

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

std::uint64_t find_permitted() {
    const State state(cap_get_proc());
    const int errnum = errno;
    if (!state) {
        throw_system(errnum, "read the capabilities of this process");
    }
    std::uint64_t mask = 0;
    for (int number = 0; number < mask_width; ++number) {
        cap_flag_value_t value = CAP_CLEAR;
        // Beyond what libcap can hold it fails: such a capability cannot be set either.
        if (cap_get_flag(state.get(), number, CAP_PERMITTED, &value) == 0 && value == CAP_SET) {
            mask |= bit(number);
        }
    }
    return mask;
}

void fill_flag(const State& state, cap_flag_t flag, std::uint64_t mask) {
    for (cap_value_t number = 0; number < mask_width; ++number) {
        if ((mask & bit(number)) == 0) {
            continue;
        }
        if (cap_set_flag(state.get(), flag, 1, &number, CAP_SET) != 0) {
            const int errnum = errno;
            throw_system(errnum, "libcap: set " + describe_capability(number));
        }
    }
}

void set_sets(const Sets& sets) {
    const State state(cap_init());
    const int init_errno = errno;
    if (!state) {
        throw_system(init_errno, "libcap: make an empty capability state");
    }
    fill_flag(state, CAP_PERMITTED, sets.permitted);
    fill_flag(state, CAP_EFFECTIVE, sets.effective);
    fill_flag(state, CAP_INHERITABLE, sets.inheritable);
    if (cap_set_proc(state.get()) != 0) {
        const int errnum = errno;
        std::string what = "set the permitted, effective and inheritable capabilities";
        if (errnum == EPERM) {
            what += " (what is inheritable must be in the bounding set)";
        }
        throw_system(errnum, what);
    }
}

void clear_ambient() {
    // Not cap_reset_ambient(3), which asks for every capability first.
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
        if (cap_drop_bound(number) != 0) {
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
