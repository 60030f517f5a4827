#include "support/catch.h"

#include "coracle/base/error.h"
#include "launch/hooks_private.h"

#include <string>

using namespace coracle;
using namespace coracle::launch;
using namespace std::chrono_literals;

namespace {

plan::Hook shell(const std::string& script) {
    return {"/hooks/prestart/0", "/bin/sh", {"sh", "-c", script}, {"PATH=/usr/bin:/bin"}, {}};
}

std::string failure_of(const plan::Hook& hook) {
    try {
        run_hooks({hook}, {}, "{}");
    } catch (const Error& error) {
        return error.text();
    }
    return "no failure";
}

} // namespace

TEST_CASE("hooks: how one failed is told with its name and last words", "[launch]") {
    CHECK(failure_of(shell("true")) == "no failure");
    CHECK(failure_of(shell("exit 3")) ==
          "/hooks/prestart/0 /bin/sh: the hook exited with status 3");
    CHECK(failure_of(shell("echo one; echo two words >&2; echo; exit 4")) ==
          "/hooks/prestart/0 /bin/sh: the hook exited with status 4 (its last words: two words)");
    CHECK(failure_of(shell("kill -9 $$")) ==
          "/hooks/prestart/0 /bin/sh: the hook was killed by SIGKILL");
    CHECK(failure_of(shell("printf 'a\\033[31m\\001'; exit 1")).find('\033') == std::string::npos);
    plan::Hook missing = shell("");
    missing.path = "/nonexistent/hook";
    CHECK(failure_of(missing) ==
          "/hooks/prestart/0 /nonexistent/hook: execute the hook: no such file or directory");
}

TEST_CASE("hooks: a timeout ends it", "[launch]") {
    plan::Hook slow = shell("echo busy; sleep 60");
    slow.timeout_seconds = 1;
    CHECK(failure_of(slow) ==
          "/hooks/prestart/0 /bin/sh: the hook did not end within its timeout of 1 seconds, and "
          "was killed (its last words: busy)");
}

TEST_CASE("hooks: the state is on stdin", "[launch]") {
    CHECK_NOTHROW(run_hooks({shell("test \"$(cat)\" = state")}, {}, "state"));
}

TEST_CASE("hooks: how long another process may take with them", "[launch]") {
    plan::Hook hook = shell("");
    CHECK(patience_with({}, 30s) == 30s);
    CHECK(patience_with({hook}, 30s) > 24h);
    hook.timeout_seconds = 5;
    CHECK(patience_with({hook, hook}, 30s) == 40s);
    hook.timeout_seconds = UINT32_MAX;
    const std::chrono::milliseconds longest = patience_with({hook, hook, hook}, 30s);
    CHECK(longest > 24h);
    CHECK(longest.count() <= INT32_MAX); // poll(2)
}
