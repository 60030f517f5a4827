#include "sandbox/seccomp_groups_private.h"
#include "support/catch.h"

using namespace coracle;

TEST_CASE("seccomp groups: a group within a group is its calls", "[sandbox]") {
    std::optional<sandbox::CallSet> service = sandbox::find_seccomp_group("@system-service");
    REQUIRE(service);
    CHECK(service->has("openat")); // of @file-system
    CHECK_FALSE(service->has("mount"));
    CHECK_FALSE(sandbox::find_seccomp_group("@no-such"));
    CHECK_FALSE(sandbox::find_seccomp_group("openat"));
}

TEST_CASE("seccomp groups: no word of the tables is empty, a group or out of order", "[sandbox]") {
    for (const std::string_view call : sandbox::known_calls()) {
        CHECK_FALSE(call.empty());
        CHECK_FALSE(call.starts_with('@'));
    }
    std::string_view last;
    for (const sandbox::SeccompGroup& group : sandbox::seccomp_groups()) {
        CHECK(last < group.name);
        CHECK(group.name.starts_with('@'));
        CHECK_FALSE(group.summary.empty());
        CHECK_FALSE(sandbox::find_seccomp_group(group.name)->empty());
        last = group.name;
    }
}
