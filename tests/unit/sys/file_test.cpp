#include "unit/sys/sys_support.h"

#include "coracle/sys/directory.h"
#include "coracle/sys/file.h"
#include "coracle/sys/refused.h"

#include <sys/mman.h>
#include <sys/stat.h>

using namespace coracle;
using namespace coracle::test;
using sys::Fd;

TEST_CASE("open: close-on-exec whatever is asked, and the path in the error", "[sys]") {
    const TempDir temp;
    temp.file("f", "x");
    CHECK(is_close_on_exec(sys::open_at(temp.fd(), "f", O_RDONLY).get()));
    const Error error = error_of([&] { (void)sys::open_at(temp.fd(), "no\nne", O_RDONLY); });
    CHECK(error.kind() == ErrorKind::system);
    CHECK(error.errnum() == ENOENT);
    CHECK(error.text() == "open no\\nne: no such file or directory");
    Fd result(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    const int held = result.get();
    CHECK(sys::try_open_at(temp.fd(), "none", O_RDONLY, 0, result) == ENOENT);
    CHECK(result.get() == held); // a failure changes nothing
    CHECK(sys::try_open_at(temp.fd(), "f", O_RDONLY, 0, result) == 0);
}

TEST_CASE("read_all: up to the limit and not a byte more", "[sys]") {
    const TempDir temp;
    for (const std::size_t size : {0U, 1U, 4095U, 4096U, 4097U, 10000U}) {
        INFO(size);
        temp.file("f", std::string(size, 'x'));
        CHECK(sys::read_regular_file(temp.fd(), "f", size) == std::string(size, 'x'));
        CHECK(sys::read_regular_file(temp.fd(), "f", 1 << 20).size() == size);
        if (size > 0) {
            const Error error =
                error_of([&] { (void)sys::read_regular_file(temp.fd(), "f", size - 1); });
            CHECK(error.kind() == ErrorKind::invalid_config);
            holds(error.text(), "f: larger than " + std::to_string(size - 1) + " bytes");
        }
    }
    // A file without a size, and one without an end.
    CHECK(sys::read_regular_file(AT_FDCWD, "/proc/self/status", 1 << 20).size() > 100);
    const Fd zero = sys::open_at(AT_FDCWD, "/dev/zero", O_RDONLY);
    CHECK_THROWS_AS(sys::read_all(zero.get(), 10000, "zero"), Error);
    const Fd directory = sys::open_at(AT_FDCWD, "/", O_RDONLY);
    CHECK(error_of([&] { (void)sys::read_all(directory.get(), 9, "d"); }).errnum() == EISDIR);
}

TEST_CASE("read_all: from the current offset", "[sys]") {
    const TempDir temp;
    temp.file("f", "0123456789");
    const Fd file = sys::open_at(temp.fd(), "f", O_RDONLY);
    REQUIRE(::lseek(file.get(), 4, SEEK_SET) == 4);
    CHECK(sys::read_all(file.get(), 100, "f") == "456789");
}

TEST_CASE("read_regular_file: nothing else blocks or is followed", "[sys]") {
    const TempDir temp;
    temp.file("target", "secret");
    temp.link("link", "target");
    temp.directory("directory");
    REQUIRE(::mkfifoat(temp.fd(), "fifo", 0600) == 0);
    for (const char* name : {"fifo", "directory"}) {
        INFO(name);
        const Error error = error_of([&] { (void)sys::read_regular_file(temp.fd(), name, 100); });
        CHECK(error.kind() == ErrorKind::invalid_config);
        CHECK(error.text() == std::string(name) + ": not a regular file");
    }
    CHECK(error_of([&] { (void)sys::read_regular_file(temp.fd(), "link", 100); }).errnum() ==
          ELOOP);
    const Error device = error_of([] { (void)sys::read_regular_file(AT_FDCWD, "/dev/zero", 9); });
    CHECK(device.kind() == ErrorKind::invalid_config);
    CHECK(error_of([&] { (void)sys::read_regular_file(temp.fd(), "no", 9); }).errnum() == ENOENT);
}

TEST_CASE("write_all: all of it, through a pipe that takes a part at a time", "[sys]") {
    PipeEnds pipe = make_pipe();
    const std::string data(300 * 1000, 'y');
    Forked writer([&] { sys::write_all(pipe.writer.get(), data, "pipe"); });
    pipe.writer.reset();
    CHECK(sys::read_all(pipe.reader.get(), 1 << 20, "pipe") == data);
    CHECK(writer.wait() == 0);
    const Fd full = sys::open_at(AT_FDCWD, "/dev/full", O_WRONLY);
    const Error error = error_of([&] { sys::write_all(full.get(), "x", "the disk"); });
    CHECK(error.errnum() == ENOSPC);
    CHECK(error.text() == "write the disk: no space left on device");
}

TEST_CASE("write_file: one write of an existing file", "[sys]") {
    const TempDir temp;
    CHECK(sys::try_write_file(temp.fd(), "f", "x") == ENOENT);
    CHECK_FALSE(temp.has("f"));
    temp.file("f", "abc");
    CHECK(sys::try_write_file(temp.fd(), "f", "X") == 0);
    CHECK(temp.read("f") == "Xbc"); // a file of /proc: nothing is cut
    CHECK(sys::try_write_file(AT_FDCWD, "/dev/full", "x") == ENOSPC);
    CHECK(error_of([&] { sys::write_file(temp.fd(), "no", "x"); }).text() ==
          "write no: no such file or directory");
}

TEST_CASE("replace_file: the old or the new content, and no temporary stays", "[sys]") {
    const TempDir temp;
    sys::replace_file(temp.fd(), "f", ".new", "one", 0600);
    CHECK(temp.read("f") == "one");
    CHECK_FALSE(temp.has(".new"));
    CHECK((sys::find_stat(temp.fd(), "f")->st_mode & 07777U) == 0600);
    const Fd reader = sys::open_at(temp.fd(), "f", O_RDONLY);
    sys::replace_file(temp.fd(), "f", ".new", "two", 0600);
    CHECK(sys::read_all(reader.get(), 10, "f") == "one"); // who reads it goes on doing so
    CHECK(temp.read("f") == "two");
}

TEST_CASE("replace_file: what stands where the temporary goes is not written through", "[sys]") {
    const TempDir temp;
    temp.file("victim", "v");
    temp.link(".new", "victim");
    sys::replace_file(temp.fd(), "f", ".new", "data", 0600);
    CHECK(temp.read("victim") == "v");
    CHECK(temp.read("f") == "data");
    // A link at the name itself is replaced, not followed.
    temp.link("l", "victim");
    sys::replace_file(temp.fd(), "l", ".new", "other", 0600);
    CHECK(temp.read("victim") == "v");
    CHECK(S_ISREG(sys::find_stat(temp.fd(), "l")->st_mode));
    // A directory in its place is refused, and stays.
    temp.directory(".new/d");
    CHECK_THROWS_AS(sys::replace_file(temp.fd(), "f", ".new", "x", 0600), Error);
    CHECK(temp.has(".new/d"));
    CHECK(temp.read("f") == "data");
}

TEST_CASE("exchange_file: what was staged is there at once, the old one at its place", "[sys]") {
    const TempDir temp;
    sys::stage_file(temp.fd(), "f", ".new", "first", 0600);
    CHECK_FALSE(temp.has("f"));
    sys::exchange_file(temp.fd(), "f", ".new"); // without an old one
    CHECK(temp.read("f") == "first");
    CHECK_FALSE(temp.has(".new"));
    sys::stage_file(temp.fd(), "f", ".new", "never", 0600);
    sys::stage_file(temp.fd(), "f", ".new", "second", 0600);
    CHECK(temp.read("f") == "first");
    sys::exchange_file(temp.fd(), "f", ".new");
    CHECK(temp.read("f") == "second");
    CHECK(temp.read(".new") == "first");
    CHECK_THROWS_AS(sys::exchange_file(temp.fd(), "f", "nothing"), Error);
    CHECK(temp.read("f") == "second");
}

TEST_CASE("replace_file: a failed rename takes the temporary away", "[sys]") {
    const TempDir temp;
    temp.directory("f/not-empty");
    const Error error = error_of([&] { sys::replace_file(temp.fd(), "f", ".new", "data", 0600); });
    CHECK(error.errnum() == EISDIR);
    holds(error.text(), "rename .new to f");
    CHECK_FALSE(temp.has(".new"));
    CHECK(temp.has("f/not-empty"));
}

TEST_CASE("stat and links: of the entry itself", "[sys]") {
    const TempDir temp;
    temp.link("dangling", "no/where");
    CHECK(S_ISLNK(sys::find_stat(temp.fd(), "dangling")->st_mode));
    CHECK_FALSE(sys::find_stat(temp.fd(), "none"));
    CHECK(sys::read_link(temp.fd(), "dangling") == "no/where");
    CHECK(error_of([&] { (void)sys::read_link(temp.fd(), "none"); }).errnum() == ENOENT);
    temp.file("file");
    CHECK(error_of([&] { (void)sys::find_stat(temp.fd(), "file/x"); }).errnum() == ENOTDIR);
    CHECK(error_of([] { (void)sys::stat_of(-1, "it"); }).text() == "stat it: bad file descriptor");
    CHECK(sys::try_make_directory(temp.fd(), "file", 0700) == EEXIST);
    CHECK(sys::try_make_directory(temp.fd(), "d", 0700) == 0);
    CHECK(sys::try_unlink(temp.fd(), "d", 0) == EISDIR);
    CHECK(sys::try_unlink(temp.fd(), "d", AT_REMOVEDIR) == 0);
    CHECK(sys::try_unlink(temp.fd(), "d", 0) == ENOENT);
}

TEST_CASE("memory file: nobody can change it once it is sealed", "[sys]") {
    Fd file;
    const int errnum = sys::try_make_memory_file("m", file);
    if (sys::is_refused(SYS_memfd_create, errnum)) {
        CHECK_FALSE(file);
        return;
    }
    REQUIRE(errnum == 0);
    CHECK(is_close_on_exec(file.get()));
    sys::write_all(file.get(), "data", "m");
    sys::seal(file.get());
    CHECK(error_of([&] { sys::write_all(file.get(), "x", "m"); }).errnum() == EPERM);
    CHECK(::ftruncate(file.get(), 0) == -1);
    CHECK(::ftruncate(file.get(), 9) == -1);
    CHECK(::fcntl(file.get(), F_ADD_SEALS, F_SEAL_WRITE) == -1);
    CHECK(::mmap(nullptr, 4, PROT_WRITE, MAP_SHARED, file.get(), 0) == MAP_FAILED);
}

TEST_CASE("nameless file: has no name and gets none", "[sys]") {
    const Fd file = sys::make_nameless_file();
    CHECK(is_close_on_exec(file.get()));
    sys::write_all(file.get(), "data", "n");
    CHECK(sys::stat_of(file.get(), "n").st_nlink == 0);
    const TempDir temp;
    const std::string path = "/proc/self/fd/" + std::to_string(file.get());
    CHECK(::linkat(AT_FDCWD, path.c_str(), temp.fd(), "name", AT_SYMLINK_FOLLOW) == -1);
    const Fd reader = sys::reopen_readonly(file.get());
    CHECK(sys::read_all(reader.get(), 10, "n") == "data");
    CHECK(::write(reader.get(), "x", 1) == -1);
}

TEST_CASE("execute access: by the effective ids", "[sys]") {
    const TempDir temp;
    temp.file("f");
    CHECK(sys::try_execute_access(temp.path("f")) == EACCES);
    CHECK(sys::try_execute_access(temp.path("none")) == ENOENT);
    (void)::chmod(temp.path("f").c_str(), 0700);
    CHECK(sys::try_execute_access(temp.path("f")) == 0);
}
