#include "coracle/security/process_limits.h"

#include "support/catch.h"
#include "support/forked.h"

#include <sys/resource.h>

#include <optional>
#include <string>

namespace {

using coracle::security::apply_rlimits;
using coracle::test::run_forked;
using coracle::test::run_in_user_namespace;

std::string read_limit(__rlimit_resource resource) {
    rlimit limit = {};
    return getrlimit(resource, &limit) == 0
               ? std::to_string(limit.rlim_cur) + "/" + std::to_string(limit.rlim_max)
               : "getrlimit failed";
}

TEST_CASE("rlimits: soft and hard are set in the order of the plan", "[security]") {
    const std::string limits = run_forked([] {
        apply_rlimits({{RLIMIT_NOFILE, 300, 400}, {RLIMIT_CORE, 0, 0}, {RLIMIT_NOFILE, 100, 200}});
        return read_limit(RLIMIT_NOFILE) + " " + read_limit(RLIMIT_CORE);
    });
    CHECK(limits == "100/200 0/0");
}

TEST_CASE("rlimits: raising the hard limit without privilege names limit, values and cure",
          "[security]") {
    const std::optional<std::string> text = run_in_user_namespace(0, []() -> std::string {
        apply_rlimits({{RLIMIT_NOFILE, 100, 200}});
        apply_rlimits({{RLIMIT_NOFILE, 100, 300}});
        return "raised";
    });
    if (!text) {
        WARN("skipped: no user namespaces here");
        return;
    }
    CHECK(*text == "error: set RLIMIT_NOFILE to soft 100, hard 300: operation not permitted; the "
                   "hard limit here is 200 and raising it needs CAP_SYS_RESOURCE in the initial "
                   "user namespace; nobody may go above fs.nr_open");
}

TEST_CASE("rlimits: no limit is written as unlimited", "[security]") {
    const std::optional<std::string> text = run_in_user_namespace(0, []() -> std::string {
        apply_rlimits({{RLIMIT_CORE, 0, 4096}});
        apply_rlimits({{RLIMIT_CORE, RLIM_INFINITY, RLIM_INFINITY}});
        return "raised";
    });
    if (!text) {
        WARN("skipped: no user namespaces here");
        return;
    }
    CHECK(*text == "error: set RLIMIT_CORE to soft unlimited, hard unlimited: operation not "
                   "permitted; the hard limit here is 4096 and raising it needs CAP_SYS_RESOURCE "
                   "in the initial user namespace");
}

TEST_CASE("rlimits: a soft limit above the hard one is explained", "[security]") {
    const std::string text = run_forked([]() -> std::string {
        apply_rlimits({{RLIMIT_NOFILE, 200, 100}});
        return "set";
    });
    CHECK(text == "error: set RLIMIT_NOFILE to soft 200, hard 100: invalid argument; the soft "
                  "limit must not be above the hard one");
}

} // namespace
