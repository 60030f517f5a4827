#include "unit/sys/sys_support.h"

#include "coracle/sys/file.h"
#include "coracle/sys/socket.h"
#include "launch/channel_private.h"
#include "support/forked.h"
#include "unit/launch/protocol_samples.h"

#include <sys/socket.h>

using namespace coracle;
using namespace coracle::test;
using namespace coracle::launch;
using sys::Fd;

namespace {

/// A plan of at least `size` bytes.
plan::InitPlan long_plan(std::size_t size) {
    plan::InitPlan plan = sample_plan();
    plan.process.env.emplace_back(size, 'e');
    return plan;
}

void send_bytes(int socket, const std::vector<std::uint8_t>& data) {
    REQUIRE(sys::try_send_packet(socket, data, {}) == 0);
}

} // namespace

TEST_CASE("channel: a long plan comes over in fragments, its fd once", "[channel]") {
    auto [left, right] = sys::make_packet_pair();
    PipeEnds pipe = make_pipe();
    for (const std::size_t size : {std::size_t{0}, max_fragment_bytes - 1, max_fragment_bytes,
                                   max_fragment_bytes + 1, std::size_t{1} << 20}) {
        INFO(size);
        const plan::InitPlan plan = long_plan(size);
        Forked sender([&, &left = left] {
            ParentEnd end(sys::duplicate(left.get()));
            end.send_plan(plan, pipe.writer.get());
        });
        ChildEnd end(sys::duplicate(right.get()));
        std::vector<Fd> fds;
        const InitPlanMessage message = end.require<InitPlanMessage>(&fds);
        CHECK(encode(message) == encode(InitPlanMessage{plan}));
        CHECK(fds.size() == 1);
        CHECK(is_close_on_exec(fds.at(0).get()));
        CHECK(sender.wait() == 0);
    }
}

TEST_CASE("channel: sizes around the fragment, exactly", "[channel]") {
    auto [left, right] = sys::make_packet_pair();
    ParentEnd parent(std::move(left));
    ChildEnd child(std::move(right));
    const std::size_t overhead = encode(Filter{}).size();
    for (const std::size_t size :
         {max_fragment_bytes - overhead - 1, max_fragment_bytes - overhead,
          max_fragment_bytes - overhead + 1, 2 * max_fragment_bytes - overhead}) {
        INFO(size);
        parent.send_filter(std::vector<std::uint8_t>(size, 7));
        CHECK(child.require<Filter>().program == std::vector<std::uint8_t>(size, 7));
    }
    parent.send_committed(); // nothing is left of the one before
    CHECK_NOTHROW(child.require<Committed>());
}

TEST_CASE("channel: each end's messages arrive, with the terminal beside", "[channel]") {
    auto [left, right] = sys::make_packet_pair();
    ParentEnd parent(std::move(left));
    ChildEnd child(std::move(right));
    parent.send_id_map_done();
    parent.send_copy_ready();
    parent.send_cgroup_ready();
    parent.send_start();
    parent.send_plan(sample_plan(), -1);
    CHECK_NOTHROW(child.require<IdMapDone>());
    CHECK_NOTHROW(child.require<CopyReady>());
    CHECK_NOTHROW(child.require<CgroupReady>());
    CHECK_NOTHROW(child.require<Start>());
    std::vector<Fd> fds(3);
    CHECK_NOTHROW(child.require<InitPlanMessage>(&fds));
    CHECK(fds.empty());
    child.send_need_id_map();
    child.send_init_started(7);
    child.send_console(0);
    child.send_ready({{"a", "b"}});
    child.send_accepted();
    CHECK(std::holds_alternative<NeedIdMap>(parent.receive()->message));
    CHECK(std::get<InitStarted>(parent.receive()->message).pid == 7);
    CHECK(parent.receive()->fds.size() == 1);
    CHECK(std::get<ReadyMessage>(parent.receive()->message).degraded.size() == 1);
    CHECK(std::holds_alternative<Accepted>(parent.receive()->message));
}

TEST_CASE("channel: trees come in as many messages as they need, in order", "[channel]") {
    auto [left, right] = sys::make_packet_pair();
    ParentEnd parent(std::move(left));
    ChildEnd child(std::move(right));
    for (const std::size_t count : {std::size_t{0}, std::size_t{1}, sys::max_packet_fds,
                                    sys::max_packet_fds + 1, 2 * sys::max_packet_fds + 5}) {
        INFO(count);
        std::vector<Fd> trees;
        for (std::size_t i = 0; i < count; ++i) {
            REQUIRE(sys::try_make_memory_file(std::to_string(i), trees.emplace_back()) == 0);
        }
        parent.send_mount_sources(trees);
        std::size_t got = 0;
        do { // none at all is a message too
            std::vector<Fd> fds;
            CHECK_NOTHROW(child.require<MountSources>(&fds));
            for (const Fd& fd : fds) {
                const std::string link =
                    sys::read_link(AT_FDCWD, "/proc/self/fd/" + std::to_string(fd.get()));
                CHECK(link == "/memfd:" + std::to_string(got++) + " (deleted)");
            }
        } while (got < count);
        CHECK(got == count);
    }
}

TEST_CASE("channel: a message that nobody expects is named", "[channel]") {
    auto [left, right] = sys::make_packet_pair();
    ParentEnd parent(std::move(left));
    ChildEnd child(std::move(right));
    parent.send_start();
    const Error error = error_of([&] { (void)child.require<Committed>(); });
    CHECK(error.kind() == ErrorKind::internal);
    CHECK(error.text() == "unexpected message Start");
}

TEST_CASE("channel: the end of the peer, between messages and within one", "[channel]") {
    auto [left, right] = sys::make_packet_pair();
    ParentEnd parent(Fd(left.release()));
    CHECK(sys::try_send_packet(right.get(), std::vector<std::uint8_t>{1, 0}, {}) == 0);
    right.reset();
    CHECK_FALSE(parent.receive()); // a half message is none
    CHECK_FALSE(parent.receive());
    // A peer that is gone is no error of a send: the next receive tells.
    CHECK_NOTHROW(parent.send_start());
    CHECK_NOTHROW(parent.send_plan(long_plan(std::size_t{1} << 20), -1));
}

TEST_CASE("channel: a child whose parent is gone ends without a word", "[channel]") {
    auto [left, right] = sys::make_packet_pair();
    left.reset();
    Forked child([&right = right] {
        ChildEnd end(Fd(right.release()));
        (void)end.require<Start>();
        ::_exit(42);
    });
    CHECK(child.wait() == 1 << 8);
    ChildEnd end(std::move(right));
    const Error error = error_of([&] { end.send_accepted(); });
    CHECK(error.errnum() == EPIPE);
    CHECK(error.text() == "send Accepted: broken pipe");
    end.send_failed(Stage::begin, error); // never throws
}

TEST_CASE("channel: a failure carries kind, errno, stage and a bounded text", "[channel]") {
    auto [left, right] = sys::make_packet_pair();
    ParentEnd parent(std::move(left));
    ChildEnd child(std::move(right));
    child.send_failed(Stage::pivot, Error(ErrorKind::denied, std::string(100000, 'x'), EPERM));
    const Failed failed = std::get<Failed>(parent.receive()->message);
    CHECK(failed.stage == Stage::pivot);
    CHECK(failed.kind == ErrorKind::denied);
    CHECK(failed.errnum == EPERM);
    CHECK(failed.text == std::string(3072, 'x'));
}

TEST_CASE("channel: packets that are no message are errors", "[channel]") {
    for (const std::vector<std::uint8_t>& data :
         std::vector<std::vector<std::uint8_t>>{{0}, {0, 99}, {0, 0, 0}, {0, 12}}) {
        auto [left, right] = sys::make_packet_pair();
        ParentEnd parent(std::move(left));
        send_bytes(right.get(), data);
        CHECK(error_of([&] { (void)parent.receive(); }).kind() == ErrorKind::internal);
    }
    auto [left, right] = sys::make_packet_pair();
    ParentEnd parent(std::move(left));
    send_bytes(right.get(), std::vector<std::uint8_t>(max_fragment_bytes + 2, 0));
    CHECK(error_of([&] { (void)parent.receive(); }).kind() == ErrorKind::internal);
}

TEST_CASE("channel: fragments without an end are cut off", "[channel]") {
    auto [left, right] = sys::make_packet_pair();
    Forked flood([&left = left, &right = right] {
        left.reset(); // or it would be its own peer
        const std::vector<std::uint8_t> fragment(max_fragment_bytes + 1, 1);
        while (sys::try_send_packet(right.get(), fragment, {}) == 0) {
        }
    });
    right.reset();
    {
        ParentEnd parent(std::move(left));
        const Error error = error_of([&] { (void)parent.receive(); });
        CHECK(error.kind() == ErrorKind::internal);
        holds(error.text(), "too long");
    }
    CHECK(flood.wait() == 0);
}
