#include "sys_support.h"

#include "coracle/sys/access.h"
#include "support/forked.h"

#include <grp.h>
#include <sys/stat.h>

using namespace coracle;
using namespace coracle::test;

namespace {

/// What a user without privilege is told of `path` below `temp`.
std::string explain_as_nobody(int dir_fd, int errnum, const std::string& path, int wanted) {
    return run_forked([&]() -> std::string {
        if (::geteuid() == 0 && (::setgroups(0, nullptr) != 0 || ::setresgid(7, 7, 7) != 0 ||
                                 ::setresuid(7, 7, 7) != 0)) {
            return "no user";
        }
        return sys::explain_path(errnum, dir_fd, path, wanted, "<base>");
    });
}

} // namespace

TEST_CASE("access: the first component without x is named with owner, mode and cure", "[sys]") {
    TempDir temp;
    REQUIRE(::mkdirat(temp.fd(), "a", 0755) == 0);
    REQUIRE(::mkdirat(temp.fd(), "a/b", 0755) == 0);
    REQUIRE(::fchmodat(temp.fd(), "a", ::geteuid() == 0 ? 0700 : 0600, 0) == 0);
    const std::string owner = std::to_string(::geteuid()) + ":" + std::to_string(::getegid());
    const char* who = ::geteuid() == 0 ? "o" : "u";
    REQUIRE(::fchmod(temp.fd(), 0755) == 0);
    const std::string text = explain_as_nobody(temp.fd(), EACCES, "a/b/c", F_OK);
    holds(text, "<base>/a (owner " + owner + ", mode 0");
    holds(text, std::string(" has no x for ") + (*who == 'o' ? "others" : "its owner"));
    holds(text, std::string("chmod ") + who + "+x <base>/a, or use another place");
    REQUIRE(::symlinkat("a/b", temp.fd(), "link") == 0);
    holds(explain_as_nobody(temp.fd(), EACCES, "link", F_OK),
          "<base>/link is a symbolic link to a/b, <base>/a (owner");
    REQUIRE(::fchmodat(temp.fd(), "a", 0755, 0) == 0);
    CHECK(explain_as_nobody(temp.fd(), EACCES, "a/b", X_OK).empty());
}

TEST_CASE("access: a directory of others is not to be made writable for everybody", "[sys]") {
    if (::geteuid() != 0) {
        return; // only then is nobody another
    }
    TempDir temp;
    REQUIRE(::fchmod(temp.fd(), 0755) == 0);
    REQUIRE(::mkdirat(temp.fd(), "a", 0755) == 0);
    const std::string text = explain_as_nobody(temp.fd(), EACCES, "a", W_OK);
    holds(text, "has no w for others: make it yours (chown, or an ACL), or use another place");
    CHECK(text.find("chmod") == std::string::npos);
}

TEST_CASE("access: what is missing, no directory, or a circle is named", "[sys]") {
    TempDir temp;
    const auto explain = [&](int errnum, const char* path) {
        return sys::explain_path(errnum, temp.fd(), path, F_OK);
    };
    CHECK(explain(ENOENT, "a") == "");
    CHECK(explain(ENOENT, "a//b/c") == "there is no a");
    REQUIRE(::symlinkat("no/where", temp.fd(), "link") == 0);
    CHECK(explain(ENOENT, "link/x") == "link is a symbolic link to no/where, there is no no");
    REQUIRE(::symlinkat("gone", temp.fd(), "other") == 0);
    CHECK(explain(ENOENT, "other") == "other is a symbolic link to gone, which does not exist");
    REQUIRE(::symlinkat("self", temp.fd(), "self") == 0);
    CHECK(explain(ELOOP, "self") == "self is a symbolic link in a circle, or one of too many");
    REQUIRE(::close(::openat(temp.fd(), "file", O_CREAT | O_WRONLY | O_CLOEXEC, 0644)) == 0);
    CHECK(explain(ENOTDIR, "file/x") == "file is not a directory");
    CHECK(explain(EIO, "file/x") == "");
    CHECK(explain(ENOENT, "") == "");
}
