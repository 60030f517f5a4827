#include "support/catch.h"

#include "coracle/base/error.h"
#include "coracle/base/scope_guard.h"

#include <cerrno>
#include <string>

using namespace coracle;

namespace {

template <class Work>
Error caught(Work&& work) {
    try {
        work();
    } catch (const Error& error) {
        return error;
    }
    FAIL("nothing was thrown");
    return Error(ErrorKind::internal, "");
}

} // namespace

TEST_CASE("error: a system error carries errno and the system's words", "[error]") {
    const Error error = caught([] { throw_system(ENOENT, "open \"/x\""); });
    CHECK(error.kind() == ErrorKind::system);
    CHECK(error.errnum() == ENOENT);
    CHECK(error.text() == "open \"/x\": no such file or directory");
    CHECK(std::string(error.what()) == error.text());
}

TEST_CASE("error: an errno that nobody knows is given as a number", "[error]") {
    CHECK(std::string(describe_errno(4711)) == "unknown error 4711");
    CHECK(caught([] { throw_system(4711, "x"); }).text() == "x: unknown error 4711");
}

TEST_CASE("error: context goes in front, outermost first", "[error]") {
    const Error error = caught([] {
        in_context([] { return std::string("outer"); },
                   [] {
                       in_context([] { return std::string("inner"); },
                                  [] { throw_error(ErrorKind::denied, "no"); });
                   });
    });
    CHECK(error.text() == "outer: inner: no");
    CHECK(error.kind() == ErrorKind::denied);
    CHECK(error.errnum() == 0);
}

TEST_CASE("error: in_context hands the result through and asks for no description", "[error]") {
    bool described = false;
    const int result = in_context(
        [&] {
            described = true;
            return std::string();
        },
        [] { return 7; });
    CHECK(result == 7);
    CHECK_FALSE(described);
}

TEST_CASE("scope guard: runs once at the end unless dismissed", "[scope_guard]") {
    int runs = 0;
    {
        const ScopeGuard guard([&] { ++runs; });
        CHECK(runs == 0);
    }
    CHECK(runs == 1);
    {
        ScopeGuard guard([&] { ++runs; });
        guard.dismiss();
    }
    CHECK(runs == 1);
}
