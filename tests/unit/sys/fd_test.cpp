#include "unit/sys/sys_support.h"

#include "coracle/sys/directory.h"
#include "coracle/sys/fd.h"
#include "coracle/sys/refused.h"
#include "support/forked.h"

#include <algorithm>
#include <chrono>
#include <sys/file.h>
#include <sys/syscall.h>

using namespace coracle;
using namespace coracle::test;
using sys::Fd;

namespace {

int open_null() {
    return ::open("/dev/null", O_RDWR | O_CLOEXEC);
}

} // namespace

TEST_CASE("fd: owns one descriptor and closes it once", "[sys]") {
    const int number = open_null();
    {
        const Fd fd(number);
        CHECK(fd);
        CHECK(fd.get() == number);
    }
    CHECK_FALSE(is_open(number));
    CHECK_FALSE(Fd());
    CHECK_FALSE(Fd(-1));
}

TEST_CASE("fd: moving takes it, also onto itself and over another", "[sys]") {
    Fd first(open_null());
    const int number = first.get();
    Fd second(std::move(first));
    CHECK_FALSE(first); // NOLINT(bugprone-use-after-move): what is asked
    CHECK(second.get() == number);

    Fd& same = second;
    second = std::move(same);
    CHECK(second.get() == number);
    CHECK(is_open(number));

    Fd third(open_null());
    const int overwritten = third.get();
    third = std::move(second);
    CHECK_FALSE(is_open(overwritten));
    CHECK(third.get() == number);
    third = Fd();
    CHECK_FALSE(is_open(number));
}

TEST_CASE("fd: reset closes, release does not", "[sys]") {
    Fd fd(open_null());
    const int first = fd.get();
    const int second = open_null();
    fd.reset(second);
    CHECK_FALSE(is_open(first));
    CHECK(fd.release() == second);
    CHECK_FALSE(fd);
    CHECK(is_open(second));
    fd.reset(second);
    fd.reset();
    CHECK_FALSE(is_open(second));
}

TEST_CASE("fd: a duplicate is close-on-exec and no standard stream", "[sys]") {
    const Fd copy = sys::duplicate(0);
    CHECK(copy.get() >= 3);
    CHECK(is_close_on_exec(copy.get()));
    const Error error = error_of([] { (void)sys::duplicate(123456); });
    CHECK(error.kind() == ErrorKind::system);
    CHECK(error.errnum() == EBADF);
    holds(error.text(), "fd 123456");
    sys::keep_over_exec(copy.get());
    CHECK_FALSE(is_close_on_exec(copy.get()));
    sys::close_on_exec(copy.get());
    CHECK(is_close_on_exec(copy.get()));
    CHECK_THROWS_AS(sys::close_on_exec(123456), Error);
}

TEST_CASE("fd: closed standard streams are opened, open ones left alone", "[sys]") {
    CHECK(run_forked([]() -> std::string {
              // 1 is what this child answers with.
              const Fd answer = sys::duplicate(1);
              (void)::close(0);
              (void)::close(1);
              (void)::close(2);
              sys::require_standard_streams();
              std::string text;
              for (int stream = 0; stream <= 2; ++stream) {
                  text += is_open(stream) ? "open " : "closed ";
                  text += is_close_on_exec(stream) ? "cloexec " : "kept ";
              }
              (void)::dup3(answer.get(), 1, 0);
              sys::require_standard_streams();
              return text;
          }) == "open kept open kept open kept ");
}

TEST_CASE("fd: close-on-exec from one number on", "[sys]") {
    CHECK(run_forked([]() -> std::string {
              std::string kept;
              for (const int fd : {50, 60, 200}) {
                  (void)::dup2(0, fd); // NOLINT(android-cloexec-dup): that is what is tested
              }
              sys::close_on_exec_from(60);
              for (const int fd : {0, 50, 60, 200}) {
                  kept += is_close_on_exec(fd) ? "" : std::to_string(fd) + " ";
              }
              return kept;
          }) == "0 50 ");
}

TEST_CASE("fd: the size of the table is above every open one", "[sys]") {
    CHECK(run_forked([]() -> std::string {
              const sys::FdTable table;
              (void)::dup2(0, 700); // NOLINT(android-cloexec-dup): any that is high
              const unsigned size = table.size();
              return sys::is_refused(SYS_close_range) == (size > 700) ? "as wanted"
                                                                      : std::to_string(size);
          }) == "as wanted");
}

TEST_CASE("directory: its names without the two dots", "[sys]") {
    const TempDir temp;
    CHECK(sys::list_directory(temp.fd()).empty());
    temp.file("a");
    temp.directory(".hidden");
    temp.link("l", "/nowhere");
    for (int round = 0; round < 2; ++round) { // the offset of the fd stays
        std::vector<std::string> names = sys::list_directory(temp.fd());
        std::sort(names.begin(), names.end());
        CHECK(names == std::vector<std::string>{".hidden", "a", "l"});
    }
    CHECK_THROWS_AS(sys::list_directory(-1), Error);
}

TEST_CASE("lock: one holder, the other waits for it or gives up", "[sys]") {
    const TempDir temp;
    const Fd first(::open(temp.path().c_str(), O_RDONLY | O_CLOEXEC));
    const Fd second(::open(temp.path().c_str(), O_RDONLY | O_CLOEXEC));
    REQUIRE(sys::lock_exclusively(first.get(), std::chrono::seconds(0)));
    CHECK(sys::lock_exclusively(first.get(), std::chrono::seconds(0))); // its own
    const auto start = std::chrono::steady_clock::now();
    CHECK_FALSE(sys::lock_exclusively(second.get(), std::chrono::milliseconds(30)));
    CHECK(std::chrono::steady_clock::now() - start >= std::chrono::milliseconds(30));
    CHECK_FALSE(sys::lock_exclusively(second.get(), std::chrono::seconds(0)));

    Forked holder([&] {
        (void)::usleep(50 * 1000);
        (void)::flock(first.get(), LOCK_UN); // of the description that both have
    });
    CHECK(sys::lock_exclusively(second.get(), std::chrono::seconds(10)));
    CHECK(holder.wait() == 0);
    const Error error = error_of([] { (void)sys::lock_exclusively(-1, std::chrono::seconds(9)); });
    CHECK(error.errnum() == EBADF);
}
