#include "coracle/security/capabilities.h"

#include "support/catch.h"
#include "support/forked.h"

#include <linux/capability.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <functional>
#include <iomanip>
#include <optional>
#include <sstream>
#include <string>

namespace {

using coracle::plan::CapabilityPlan;
using coracle::security::apply_bounding_set;
using coracle::security::apply_capability_sets;
using coracle::security::raise_all_ambient;
using coracle::test::run_in_user_namespace;

constexpr std::uint64_t bit(int number) {
    return std::uint64_t{1} << number;
}

int last_capability() {
    int number = 0;
    std::ifstream("/proc/sys/kernel/cap_last_cap") >> number;
    return number;
}

std::uint64_t every_capability() {
    return bit(last_capability() + 1) - 1;
}

/// The capability lines of a /proc/PID/status, as "CapInh:0 CapPrm:21 ..." in hexadecimal.
std::string pick_sets(std::istream& status) {
    std::ostringstream result;
    std::string line;
    while (std::getline(status, line)) {
        if (line.rfind("Cap", 0) == 0) {
            const std::uint64_t value = std::stoull(line.substr(line.find('\t') + 1), nullptr, 16);
            result << line.substr(0, 7) << std::hex << value << ' ';
        }
    }
    return result.str();
}

std::string read_sets() {
    std::ifstream status("/proc/self/status");
    return pick_sets(status);
}

std::string expected_sets(const CapabilityPlan& plan) {
    std::ostringstream result;
    result << std::hex << "CapInh:" << plan.inheritable << " CapPrm:" << plan.permitted
           << " CapEff:" << plan.effective << " CapBnd:" << plan.bounding
           << " CapAmb:" << plan.ambient << ' ';
    return result.str();
}

/// Executes a program without capabilities of its own, which prints its sets.
std::string execute_status() {
    execl("/bin/cat", "cat", "/proc/self/status", static_cast<char*>(nullptr));
    return "execl failed";
}

/// As run_in_user_namespace; says so if the host cannot.
std::optional<std::string> run_with_capabilities(const std::function<std::string()>& work) {
    const std::optional<std::string> result = run_in_user_namespace(1000, work);
    if (!result) {
        WARN("skipped: no user namespaces here");
    }
    return result;
}

TEST_CASE("capabilities: all are ambient and survive an execve by another uid than 0",
          "[security]") {
    const std::optional<std::string> status = run_with_capabilities([] {
        raise_all_ambient();
        return execute_status();
    });
    if (status) {
        std::istringstream text(*status);
        const std::uint64_t all = every_capability();
        CHECK(pick_sets(text) == expected_sets({all, all, all, all, all}));
    }
}

TEST_CASE("capabilities: the bounding set keeps what is named and ambient is cleared",
          "[security]") {
    const std::optional<std::string> sets = run_with_capabilities([] {
        raise_all_ambient();
        CapabilityPlan plan;
        plan.bounding = bit(CAP_CHOWN) | bit(CAP_SYS_ADMIN) | bit(last_capability());
        apply_bounding_set(plan, last_capability());
        return read_sets();
    });
    if (sets) {
        const std::uint64_t all = every_capability();
        const std::uint64_t bounding = bit(CAP_CHOWN) | bit(CAP_SYS_ADMIN) | bit(last_capability());
        CHECK(*sets == expected_sets({bounding, all, all, all, 0}));
    }
}

TEST_CASE("capabilities: without CAP_SETPCAP the bounding set names the cause", "[security]") {
    const std::optional<std::string> text = run_with_capabilities([]() -> std::string {
        apply_capability_sets(CapabilityPlan{}, 0);
        apply_bounding_set(CapabilityPlan{}, last_capability());
        return "dropped";
    });
    if (text) {
        CHECK(*text == "error: drop CAP_CHOWN from the bounding set (this needs CAP_SETPCAP): "
                       "operation not permitted");
    }
}

TEST_CASE("capabilities: with nothing kept the sets are exactly the plan's", "[security]") {
    CapabilityPlan plan;
    plan.bounding = every_capability();
    plan.permitted = bit(CAP_CHOWN) | bit(CAP_KILL) | bit(CAP_SYSLOG);
    plan.effective = bit(CAP_CHOWN) | bit(CAP_SYSLOG);
    plan.inheritable = bit(CAP_KILL) | bit(CAP_NET_RAW);
    plan.ambient = bit(CAP_KILL);
    const std::optional<std::string> sets = run_with_capabilities([plan] {
        raise_all_ambient();
        apply_capability_sets(plan, 0);
        return read_sets();
    });
    if (sets) {
        CHECK(*sets == expected_sets(plan));
    }
}

TEST_CASE("capabilities: what is kept is permitted and effective until execve", "[security]") {
    CapabilityPlan plan;
    plan.bounding = every_capability();
    plan.permitted = plan.effective = plan.inheritable = plan.ambient = bit(CAP_NET_BIND_SERVICE);
    const std::optional<std::string> before = run_with_capabilities([plan] {
        apply_capability_sets(plan, bit(CAP_SYS_ADMIN));
        return read_sets();
    });
    const std::optional<std::string> after = run_with_capabilities([plan] {
        apply_capability_sets(plan, bit(CAP_SYS_ADMIN));
        return execute_status();
    });
    if (before && after) {
        CapabilityPlan kept = plan;
        kept.permitted |= bit(CAP_SYS_ADMIN);
        kept.effective |= bit(CAP_SYS_ADMIN);
        CHECK(*before == expected_sets(kept));
        std::istringstream status(*after);
        CHECK(pick_sets(status) == expected_sets(plan));
    }
}

TEST_CASE("capabilities: those not permitted now are left out", "[security]") {
    CapabilityPlan plan;
    plan.bounding = every_capability();
    plan.permitted = plan.effective = plan.inheritable = plan.ambient = bit(CAP_CHOWN);
    const std::optional<std::string> sets = run_with_capabilities([plan] {
        apply_capability_sets(plan, 0);
        CapabilityPlan more = plan;
        more.permitted = more.effective = more.inheritable = more.ambient =
            bit(CAP_CHOWN) | bit(CAP_KILL);
        apply_capability_sets(more, bit(CAP_SYS_ADMIN));
        return read_sets();
    });
    if (sets) {
        CHECK(*sets == expected_sets(plan));
    }
}

TEST_CASE("capabilities: an ambient one that is not inheritable is refused by name", "[security]") {
    const std::optional<std::string> text = run_with_capabilities([]() -> std::string {
        CapabilityPlan plan;
        plan.permitted = plan.effective = plan.ambient = bit(CAP_CHOWN);
        apply_capability_sets(plan, 0);
        return "applied";
    });
    if (text) {
        CHECK(*text == "error: raise CAP_CHOWN in the ambient set (it must be permitted and "
                       "inheritable as well): operation not permitted");
    }
}

} // namespace
