#include "unit/sys/sys_support.h"

#include "coracle/launch/launch.h"
#include "coracle/sys/process.h"
#include "coracle/sys/procfs.h"
#include "coracle/sys/socket.h"
#include "launch/channel_private.h"
#include "launch/id_map_private.h"
#include "launch/outcome_private.h"
#include "support/forked.h"

#include <sched.h>

using namespace coracle;
using namespace coracle::test;
using namespace coracle::launch;
using sys::Fd;

namespace {

/// A forked init that waits at a gate and then does `answer` with the first client.
class FakeInit {
  public:
    explicit FakeInit(const std::function<void(ChildEnd&)>& answer)
        : listener_(sys::listen_at(temp_.fd(), "gate")), init_([&] {
              sys::set_process_name("init:gate");
              ChildEnd client(sys::accept_connection(listener_.get()));
              listener_.reset();
              answer(client);
          }) {
        listener_.reset();
        REQUIRE(sys::try_open_pidfd(init_.pid(), pidfd_) == 0);
    }
    void open() {
        Stage failed_stage = Stage::begin;
        open_gate(temp_.fd(), "gate", {init_.pid(), pidfd_.get(), {}, {}, {}}, failed_stage);
    }
    [[nodiscard]] bool is_waiting() const { return is_gate_waiting(temp_.fd(), "gate"); }

  private:
    TempDir temp_;
    Fd listener_;
    Forked init_;
    Fd pidfd_;
};

} // namespace

TEST_CASE("gate: accepted and then the end is a start", "[launch]") {
    FakeInit init([](ChildEnd& client) {
        (void)client.require<Start>();
        sys::set_process_name("payload"); // as execve does
        client.send_accepted();
    });
    CHECK_NOTHROW(init.open());
    const Error again = error_of([&] { init.open(); });
    CHECK(again.kind() == ErrorKind::wrong_state);
    CHECK(again.text() == "cannot start an already running container");
    CHECK_FALSE(init.is_waiting());
}

TEST_CASE("gate: init's failure is the start's", "[launch]") {
    FakeInit init([](ChildEnd& client) {
        (void)client.require<Start>();
        client.send_accepted();
        client.send_failed(Stage::execve, Error(ErrorKind::system, "x", ENOENT));
    });
    const Error error = error_of([&] { init.open(); });
    CHECK(error.kind() == ErrorKind::not_executable);
    CHECK(error.errnum() == ENOENT);
    holds(error.text(), "init: execve: exec \"x\": no such file or directory (the file is there, "
                        "so its interpreter");
}

TEST_CASE("gate: what init saw of the program comes with its failure", "[launch]") {
    FakeInit init([](ChildEnd& client) {
        (void)client.require<Start>();
        client.send_accepted();
        client.send_failed(Stage::execve, Error(ErrorKind::system, "x", ENOEXEC));
        client.send_diagnosis("it is a teapot");
    });
    CHECK(error_of([&] { init.open(); }).text() ==
          "init: execve: exec \"x\": exec format error (it is a teapot)");
}

TEST_CASE("gate: an init that dies after Accepted has not started anything", "[launch]") {
    FakeInit init([](ChildEnd& client) {
        (void)client.require<Start>();
        sys::set_process_name("init:execve");
        client.send_accepted();
        (void)::raise(SIGSYS);
    });
    const Error error = error_of([&] { init.open(); });
    holds(error.text(), "init was killed by SIG");
    holds(error.text(), "at stage execve, before the program of the container was executed");
}

TEST_CASE("gate: one that closes without an answer has let another in", "[launch]") {
    FakeInit init([](ChildEnd& client) {
        sys::set_process_name("payload");
        client.close();
        ::sleep(5); // it lives on; the end of the test kills it
    });
    CHECK(error_of([&] { init.open(); }).kind() == ErrorKind::wrong_state);
}

TEST_CASE("gate: one that closes and dies there is not a running container", "[launch]") {
    FakeInit init([](ChildEnd& client) {
        client.close();
        ::_exit(3);
    });
    const Error error = error_of([&] { init.open(); });
    CHECK(error.kind() == ErrorKind::system);
    holds(error.text(), "init exited with status 3 at stage gate");
}

TEST_CASE("gate: anything but Accepted and the end is a broken promise", "[launch]") {
    FakeInit init([](ChildEnd& client) {
        (void)client.require<Start>();
        client.send_accepted();
        client.send_accepted();
    });
    CHECK(error_of([&] { init.open(); }).kind() == ErrorKind::internal);
    FakeInit other([](ChildEnd& client) {
        (void)client.require<Start>();
        sys::set_process_name("payload");
        client.send_need_id_map();
    });
    CHECK_THROWS_AS(other.open(), Error);
}

TEST_CASE("gate: nobody, and somebody, waits there", "[launch]") {
    const TempDir temp;
    CHECK_FALSE(is_gate_waiting(temp.fd(), "gate"));
    Stage failed_stage = Stage::begin;
    CHECK(error_of([&] {
              open_gate(temp.fd(), "gate", {1, -1, {}, {}, {}}, failed_stage);
          }).kind() == ErrorKind::wrong_state);
    Fd listener = sys::listen_at(temp.fd(), "gate");
    CHECK(is_gate_waiting(temp.fd(), "gate"));
    std::vector<Fd> clients(60); // a full queue is one that somebody listens to
    for (Fd& client : clients) {
        (void)sys::try_connect_at(temp.fd(), "gate", std::chrono::milliseconds(1), client);
    }
    CHECK(is_gate_waiting(temp.fd(), "gate"));
    listener.reset();
    CHECK_FALSE(is_gate_waiting(temp.fd(), "gate"));
}

TEST_CASE("id map: one line a mapping, in the order of the kernel's columns", "[launch]") {
    CHECK(make_map_text({}).empty());
    CHECK(make_map_text({{ContainerId{0}, HostId{1000}, 1}}) == "0 1000 1\n");
    CHECK(make_map_text({{ContainerId{0}, HostId{1000}, 1},
                         {ContainerId{1}, HostId{100000}, 65535},
                         {ContainerId{4294967294}, HostId{4294967294}, 1}}) ==
          "0 1000 1\n1 100000 65535\n4294967294 4294967294 1\n");
}

TEST_CASE("id map: own ids are written without privilege, once", "[launch]") {
    auto [ours, theirs] = sys::make_packet_pair();
    Forked child([&ours = ours, &theirs = theirs] {
        ours.reset();
        if (::unshare(CLONE_NEWUSER) != 0) {
            ::_exit(1);
        }
        ChildEnd end(Fd(theirs.release()));
        end.send_need_id_map();
        (void)end.require<IdMapDone>();
        const bool mapped = ::geteuid() == 5 && ::getegid() == 6;
        std::ifstream setgroups("/proc/self/setgroups");
        std::string word;
        setgroups >> word;
        ::_exit(mapped && word == "deny" ? 42 : 2);
    });
    theirs.reset();
    ParentEnd parent(std::move(ours));
    if (!parent.receive()) {
        WARN("skipped: no user namespaces here");
        return;
    }
    const Fd proc = sys::open_proc();
    plan::IdMapPlan plan;
    plan.method = plan::IdMapMethod::write_own_ids;
    plan.uids = {{ContainerId{5}, HostId{::geteuid()}, 1}};
    plan.gids = {{ContainerId{6}, HostId{::getegid()}, 1}};
    write_id_maps({}, proc.get(), child.pid()); // method none: nothing is written
    write_id_maps(plan, proc.get(), child.pid());
    plan.method = plan::IdMapMethod::write_map;
    const Error again = error_of([&] { write_id_maps(plan, proc.get(), child.pid()); });
    CHECK(again.errnum() == EPERM);
    holds(again.text(), "write \"6 " + std::to_string(::getegid()) + " 1;\" to gid_map");
    parent.send_id_map_done();
    CHECK(child.wait() == 42 << 8);
}

TEST_CASE("outcome: what failed says its role, stage and a hint", "[launch]") {
    auto [ours, theirs] = sys::make_packet_pair();
    ParentEnd channel(std::move(ours));
    theirs.reset(); // init has ended without a diagnosis
    const auto text_of = [&](const Failed& failed) {
        return error_of([&] { throw_failed(failed, "init", "init", channel); }).text();
    };
    CHECK(text_of({Stage::mounts, ErrorKind::denied, 0, "why"}) == "init: mounts: why");
    // From the bare zone come the program and the errno alone.
    CHECK(text_of({Stage::execve, ErrorKind::system, EPERM, "/a\nb"}) ==
          "init: execve: exec \"/a\\nb\": operation not permitted");
    holds(text_of({Stage::execve, ErrorKind::system, ENOENT, ""}), "interpreter or ELF loader");
    holds(text_of({Stage::execve, ErrorKind::system, ENOEXEC, ""}), "a script without #!");
    holds(text_of({Stage::execve, ErrorKind::system, EACCES, ""}), "noexec");
    holds(text_of({Stage::seccomp, ErrorKind::system, EACCES, ""}),
          "init: seccomp: load the filter: permission denied");
    holds(text_of({Stage::seccomp, ErrorKind::system, EACCES, ""}), "needs CAP_SYS_ADMIN");
    const Error error = error_of([&] {
        throw_failed({Stage::pivot, ErrorKind::denied, 7, "x"}, "intermediate", "init", channel);
    });
    CHECK(error.kind() == ErrorKind::denied);
    CHECK(error.errnum() == 7);
    CHECK(error_of([] { throw_ended("mounts", SIGKILL, "init"); }).text() ==
          "init was killed by SIGKILL at stage mounts, before the program of the container was "
          "executed");
    CHECK(error_of([] { throw_ended("", 1 << 8, "intermediate"); }).text() ==
          "intermediate exited with status 1 before it was ready");
    holds(error_of([] { throw_ended("gate", SIGSYS, "init"); }).text(), "a seccomp filter");
}

TEST_CASE("outcome: the stage stands in the name, of a zombie too", "[launch]") {
    const Fd proc = sys::open_proc();
    for (const auto& [name, stage] :
         std::vector<std::pair<const char*, const char*>>{{"init:identity", "identity"},
                                                          {"mid:unshare", "unshare"},
                                                          {"sh", ""},
                                                          {"xinit:a", ""}}) {
        INFO(name);
        const char* process_name = name;
        Forked child([&] { sys::set_process_name(process_name); });
        Fd pidfd;
        REQUIRE(sys::try_open_pidfd(child.pid(), pidfd) == 0);
        REQUIRE(sys::wait_for_exit(pidfd.get(), std::chrono::seconds(10)));
        CHECK(find_stage_name(proc.get(), child.pid()) == stage);
        const pid_t pid = child.pid();
        (void)child.wait();
        CHECK(find_stage_name(proc.get(), pid).empty());
    }
}
