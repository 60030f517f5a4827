#include "coracle/sys/scheduling.h"

#include "support/catch.h"
#include "support/forked.h"

#include <cerrno>
#include <sched.h>
#include <string>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <vector>

using namespace coracle;
using coracle::test::run_forked;

namespace {

std::string machine() {
    struct utsname names {};
    return ::uname(&names) == 0 ? std::string(static_cast<const char*>(names.machine)) : "";
}

} // namespace

TEST_CASE("scheduling: policy and nice value are taken", "[sys]") {
    const std::string seen = run_forked([] {
        int errnum = sys::try_set_scheduler({SCHED_BATCH, 0, 7, 0, 0, 0, 0});
        return std::to_string(errnum) + " " + std::to_string(::sched_getscheduler(0)) + " " +
               std::to_string(::getpriority(PRIO_PROCESS, 0));
    });
    CHECK(seen == "0 3 7");
}

TEST_CASE("scheduling: what the kernel does not have is its errno", "[sys]") {
    CHECK(sys::try_set_scheduler({4, 0, 0, 0, 0, 0, 0}) == EINVAL); // SCHED_ISO
    CHECK(sys::try_set_io_priority(7, 0) == EINVAL);
    CHECK(sys::try_set_memory_policy(99, {}) != 0);
}

TEST_CASE("scheduling: the execution domain changes what uname says", "[sys]") {
    const std::string seen = run_forked([] {
        int errnum = sys::try_set_personality(8);
        return std::to_string(errnum) + " " + machine();
    });
    if (machine() == "x86_64") {
        CHECK(seen == "0 i686");
    } else {
        CHECK(seen.rfind("0 ", 0) == 0);
    }
}

TEST_CASE("scheduling: an affinity may be longer than cpu_set_t", "[sys]") {
    const std::string seen = run_forked([] {
        std::vector<std::uint64_t> one(1024); // 65536 CPUs
        one[0] = 1;
        int errnum = sys::try_set_affinity(0, one);
        cpu_set_t now;
        CPU_ZERO(&now);
        (void)::sched_getaffinity(0, sizeof now, &now);
        return std::to_string(errnum) + " " + std::to_string(CPU_COUNT(&now));
    });
    CHECK(seen == "0 1");
    const std::string none = run_forked([] {
        std::vector<std::uint64_t> far(1024);
        far[1023] = 1; // a CPU that is not there
        return std::to_string(sys::try_set_affinity(0, far));
    });
    CHECK(none == std::to_string(EINVAL));
}
