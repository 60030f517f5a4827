#include "unit/sys/sys_support.h"

#include "container/pid_file_private.h"
#include "coracle/sys/file.h"

#include <fcntl.h>
#include <sys/stat.h>

using namespace coracle;
using namespace coracle::test;
using namespace coracle::container;

TEST_CASE("pid file: the digits alone, whole", "[container]") {
    const TempDir temp;
    (void)::umask(022);
    write_pid_file(temp.path("p"), "c1", 4711);
    CHECK(temp.read("p") == "4711");
    CHECK((sys::find_stat(temp.fd(), "p")->st_mode & 07777U) == 0644);
    write_pid_file(temp.path("p"), "c1", 8);
    CHECK(temp.read("p") == "8");
    CHECK(std::distance(std::filesystem::directory_iterator(temp.path()), {}) == 1);
}

TEST_CASE("pid file: a link in its place is replaced, not followed", "[container]") {
    const TempDir temp;
    temp.file("victim", "v");
    temp.link("p", "victim");
    temp.link(".p.c1.new", "victim");
    write_pid_file(temp.path("p"), "c1", 1);
    CHECK(temp.read("victim") == "v");
    CHECK(temp.read("p") == "1");
}

TEST_CASE("pid file: nothing of it has a name before it is whole", "[container]") {
    const TempDir temp;
    (void)::umask(022);
    REQUIRE(sys::try_place_file(temp.fd(), "p", "4711", 0644));
    CHECK(temp.read("p") == "4711");
    REQUIRE(sys::try_place_file(temp.fd(), "p", "8", 0644));
    CHECK(temp.read("p") == "8");
    CHECK((sys::find_stat(temp.fd(), "p")->st_mode & 07777U) == 0644);
    temp.directory("d");
    CHECK_FALSE(sys::try_place_file(temp.fd(), "d", "8", 0644));
    CHECK_FALSE(sys::try_place_file(sys::open_at(AT_FDCWD, "/proc", O_PATH).get(), "p", "8", 0644));
}

TEST_CASE("pid file: the error names it", "[container]") {
    const TempDir temp;
    const Error error = error_of([&] { write_pid_file(temp.path("no/p"), "c1", 1); });
    CHECK(error.errnum() == ENOENT);
    CHECK(error.text().rfind("pid file " + temp.path("no/p") + ": ", 0) == 0);
    temp.directory("d");
    CHECK_THROWS_AS(write_pid_file(temp.path("d"), "c1", 1), Error);
    CHECK_FALSE(temp.has(".d.c1.new"));
}

TEST_CASE("pid file: made absolute, removed, its temporary too", "[container]") {
    const TempDir temp;
    CHECK(absolute_pid_file("").empty());
    CHECK(absolute_pid_file("/a/../b") == "/a/../b");
    CHECK(absolute_pid_file("x/p") == sys::current_directory() + "/x/p");
    temp.file("p");
    temp.file(".p.c1.new");
    temp.file(".p.c2.new");
    remove_pid_file_temporary(temp.path("p"), "c1");
    CHECK_FALSE(temp.has(".p.c1.new"));
    CHECK(temp.has(".p.c2.new")); // of another container
    CHECK(temp.has("p"));
    remove_pid_file(temp.path("p"));
    CHECK_FALSE(temp.has("p"));
    remove_pid_file(temp.path("p"));
    remove_pid_file_temporary(temp.path("p"), "c1");
    remove_pid_file_temporary("", "c1");
}

TEST_CASE("pid file: works for the longest id", "[container]") {
    const TempDir temp;
    const std::string id(255, 'x');
    try {
        write_pid_file(temp.path("p"), id, 7);
        CHECK(temp.read("p") == "7");
        remove_pid_file_temporary(temp.path("p"), id);
    } catch (const Error& error) {
        FAIL_CHECK(error.text());
    }
}
