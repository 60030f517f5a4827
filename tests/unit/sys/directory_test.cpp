#include "coracle/sys/directory.h"

#include "coracle/sys/file.h"
#include "support/catch.h"

#include <cerrno>
#include <fcntl.h>
#include <stdlib.h>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

namespace sys = coracle::sys;

namespace {

/// A directory that a test may fill, as a plain user where the tests run as root.
struct Place {
    std::string path;
    sys::Fd fd;

    Place() {
        char name[] = "/tmp/coracle-unit-XXXXXX";
        path = ::mkdtemp(name);
        fd = sys::open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
    }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place() { (void)::rmdir(path.c_str()); }
};

} // namespace

TEST_CASE("a tree that is deeper than any path can name is removed") {
    Place place;
    int depth = 3000;
    sys::Fd at = sys::open_at(place.fd.get(), ".", O_RDONLY | O_DIRECTORY);
    for (int i = 0; i < depth; ++i) {
        REQUIRE(::mkdirat(at.get(), "deep", 0700) == 0);
        at = sys::open_at(at.get(), "deep", O_RDONLY | O_DIRECTORY);
    }
    REQUIRE(::mkdirat(at.get(), "moved-up-0", 0700) == 0);
    at.reset();
    sys::remove_tree(place.fd.get(), "deep");
    CHECK(sys::list_directory(place.fd.get()).empty());
}

TEST_CASE("a tree is removed whatever the modes of its directories are") {
    Place place;
    for (const char* name : {"a", "a/b", "a/b/c", "a/b/c/d"}) {
        REQUIRE(::mkdirat(place.fd.get(), name, 0700) == 0);
    }
    for (const char* name : {"a/b/c/d", "a/b/c", "a/b", "a"}) {
        REQUIRE(::fchmodat(place.fd.get(), name, 0, 0) == 0);
    }
    sys::remove_tree(place.fd.get(), "a");
    CHECK(sys::list_directory(place.fd.get()).empty());
}

TEST_CASE("a symbolic link is removed, and not what it leads to") {
    Place place;
    REQUIRE(::mkdirat(place.fd.get(), "kept", 0700) == 0);
    REQUIRE(::mkdirat(place.fd.get(), "tree", 0700) == 0);
    REQUIRE(::symlinkat("../kept", place.fd.get(), "tree/link") == 0);
    sys::remove_tree(place.fd.get(), "tree");
    CHECK(sys::list_directory(place.fd.get()) == std::vector<std::string>{"kept"});
    sys::remove_tree(place.fd.get(), "kept");
    sys::remove_tree(place.fd.get(), "kept"); // gone already
}
