#include "support/catch.h"

#include "coracle/base/error.h"
#include "unit/launch/protocol_samples.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <random>
#include <span>
#include <string>

using namespace coracle;
using namespace coracle::test;
using namespace coracle::launch;

namespace {

using Bytes = std::vector<std::uint8_t>;

/// Decodes from memory that ends where the data ends, so that the sanitizer sees any over-read.
Message decode_tight(std::span<const std::uint8_t> data) {
    const std::unique_ptr<std::uint8_t[]> copy(new std::uint8_t[data.size()]);
    std::copy(data.begin(), data.end(), copy.get());
    return decode({copy.get(), data.size()});
}

enum class Outcome { decoded, refused };

/// Anything but a message or an internal Error fails the test.
Outcome try_decode(std::span<const std::uint8_t> data) {
    try {
        const Message message = decode_tight(data);
        (void)name_of(message);
        return Outcome::decoded;
    } catch (const Error& error) {
        if (error.kind() != ErrorKind::internal) {
            FAIL("kind of: " << error.text());
        }
        return Outcome::refused;
    }
}

} // namespace

TEST_CASE("protocol: every message comes back as it was sent", "[protocol]") {
    const std::vector<Message> messages = sample_messages();
    CHECK(messages.size() == std::variant_size_v<Message>);
    for (std::size_t i = 0; i < messages.size(); ++i) {
        INFO(name_of(messages[i]));
        CHECK(messages[i].index() == i);
        const Bytes bytes = encode(messages[i]);
        const Message back = decode_tight(bytes);
        CHECK(back.index() == i);
        CHECK(encode(back) == bytes);
    }
}

TEST_CASE("protocol: the fields themselves come back", "[protocol]") {
    const plan::InitPlan plan =
        std::get<InitPlanMessage>(decode(encode(InitPlanMessage{sample_plan()}))).plan;
    CHECK(plan.id == "c1");
    CHECK(plan.gate == plan::GateKind::channel);
    CHECK(plan.hostname == "h");
    CHECK(plan.domainname == "d");
    CHECK_FALSE(plan.new_session_keyring);
    CHECK(plan.new_cgroup_namespace);
    CHECK(plan.loopback_up);
    CHECK_FALSE(plan.own_pid_namespace);
    CHECK(plan.process.has_filter);
    CHECK(plan.process.filter_flags == 6);
    CHECK(plan.sysctls == sample_plan().sysctls);
    const plan::ProcessPlan& process = plan.process;
    CHECK(process.terminal);
    CHECK(process.terminal_height == 24);
    CHECK(process.terminal_width == 80);
    CHECK(process.args == sample_process().args);
    CHECK(process.env == sample_process().env);
    CHECK(process.cwd == "/w");
    CHECK(process.set_home);
    CHECK(process.uid == 4294967294);
    CHECK(process.gid == 7);
    CHECK(process.groups_method == plan::GroupsMethod::set_if_allowed);
    CHECK(process.groups == sample_process().groups);
    CHECK(process.umask == 077);
    CHECK(process.no_new_privileges);
    REQUIRE(process.capabilities);
    CHECK(process.capabilities->bounding == 1);
    CHECK(process.capabilities->effective == 2);
    CHECK(process.capabilities->inheritable == 3);
    CHECK(process.capabilities->permitted == 4);
    CHECK(process.capabilities->ambient == 5);
    CHECK(process.last_capability == 40);
    REQUIRE(process.rlimits.size() == 1);
    CHECK(process.rlimits[0].resource == 7);
    CHECK(process.rlimits[0].soft == 1024);
    CHECK(process.rlimits[0].hard == UINT64_MAX);
    CHECK(process.oom_score_adj == -500);
    CHECK(process.ignored_signals == 0x1000);
    CHECK(process.preserve_fds == 2);
    CHECK(process.own_core_cookie);
    CHECK(process.parent_death_signal == 9);
    REQUIRE(process.landlock);
    CHECK(process.landlock->handled_fs == 0x3fff);
    CHECK(process.landlock->handled_net == 3);
    CHECK(process.landlock->scoped == 2);
    CHECK(process.landlock->file_rights == 7);
    REQUIRE(process.landlock->paths.size() == 1);
    CHECK(process.landlock->paths[0].path == "/tmp");
    CHECK(process.landlock->paths[0].rights == 0xffff);
    REQUIRE(process.landlock->ports.size() == 1);
    CHECK(process.landlock->ports[0].port == 443);
    CHECK(process.landlock->ports[0].rights == 2);
}

TEST_CASE("protocol: the fields of the root come back", "[protocol]") {
    const plan::RootfsPlan rootfs =
        std::get<InitPlanMessage>(decode(encode(InitPlanMessage{sample_plan()}))).plan.rootfs;
    CHECK(rootfs.path == "/bundle/rootfs");
    CHECK(rootfs.readonly);
    CHECK(rootfs.propagation == (MS_SLAVE | MS_REC));
    CHECK(rootfs.sources_given);
    CHECK_FALSE(rootfs.pivot);
    CHECK(rootfs.masked_paths == sample_rootfs().masked_paths);
    CHECK(rootfs.readonly_paths == sample_rootfs().readonly_paths);
    REQUIRE(rootfs.symlinks.size() == 1);
    CHECK(rootfs.symlinks[0].path == "/dev/fd");
    CHECK(rootfs.symlinks[0].target == "/proc/self/fd");
    REQUIRE(rootfs.mounts.size() == 3);
    const plan::MountStep& fresh = rootfs.mounts[0];
    const plan::NewFilesystem& filesystem = std::get<plan::NewFilesystem>(fresh.what);
    CHECK(filesystem.type == "sysfs");
    CHECK(filesystem.data == std::vector<std::string>{"a=1", "b"});
    CHECK(filesystem.superblock_flags == MS_SYNCHRONOUS);
    CHECK(filesystem.copy_up);
    CHECK_FALSE(fresh.read_only_last);
    CHECK(fresh.attributes == plan::AttributeChange{1, 2});
    CHECK(fresh.recursive_attributes == plan::AttributeChange{3, 4});
    CHECK(fresh.no_symlinks);
    CHECK_FALSE(fresh.propagation_recursive);
    REQUIRE(fresh.fallback);
    CHECK(fresh.fallback->source == "/sys");
    const plan::MountStep& bind = rootfs.mounts[1];
    CHECK(std::get<plan::BindMount>(bind.what).source == "/host/data");
    CHECK(std::get<plan::BindMount>(bind.what).recursive);
    CHECK(std::get<plan::BindMount>(bind.what).with_host_peers);
    CHECK(std::get<plan::BindMount>(bind.what).link == SourceLink::copy);
    CHECK_FALSE(bind.on_symlink);
    CHECK(bind.propagation == MS_SHARED);
    CHECK(bind.propagation_recursive);
    CHECK_FALSE(bind.fallback);
    const plan::MountStep& change = rootfs.mounts[2];
    CHECK(change.on_symlink);
    CHECK(std::get<plan::Remount>(change.what).data == std::vector<std::string>{"size=1k"});
    CHECK(std::get<plan::Remount>(change.what).superblock_flags == MS_SYNCHRONOUS);
    CHECK(std::get<plan::Remount>(change.what).superblock_clear == MS_LAZYTIME);
    CHECK(change.read_only_last);
    REQUIRE(rootfs.devices.size() == 2);
    const plan::DeviceStep& device = rootfs.devices[0];
    CHECK(device.method == plan::DeviceMethod::bind_from_host);
    CHECK(device.path == "/dev/null");
    CHECK(device.mode == 020666);
    CHECK(device.major == 1);
    CHECK(device.minor == 3);
    CHECK(device.uid == 4);
    CHECK(device.gid == 5);
    CHECK(device.from_config);
}

TEST_CASE("protocol: short messages come back with their fields", "[protocol]") {
    CHECK(std::get<InitStarted>(decode(encode(InitStarted{-7}))).pid == -7);
    CHECK(std::get<Filter>(decode(encode(Filter{{9, 8}}))).program == Bytes{9, 8});
    const ReadyMessage ready =
        std::get<ReadyMessage>(decode(encode(ReadyMessage{{{"what", "why"}}})));
    REQUIRE(ready.degraded.size() == 1);
    CHECK(ready.degraded[0].what == "what");
    CHECK(ready.degraded[0].why == "why");
    const Failed failed =
        std::get<Failed>(decode(encode(Failed{Stage::execve, ErrorKind::internal, 2, "text"})));
    CHECK(failed.stage == Stage::execve);
    CHECK(failed.kind == ErrorKind::internal);
    CHECK(failed.errnum == 2);
    CHECK(failed.text == "text");
    CHECK(std::get<Diagnosis>(decode(encode(Diagnosis{"seen"}))).text == "seen");
}

TEST_CASE("protocol: every truncation and every byte too much is refused", "[protocol]") {
    for (const Message& message : sample_messages()) {
        INFO(name_of(message));
        Bytes bytes = encode(message);
        for (std::size_t size = 0; size < bytes.size(); ++size) {
            if (try_decode(std::span(bytes).first(size)) != Outcome::refused) {
                FAIL_CHECK("decoded with " << size << " of " << bytes.size() << " bytes");
            }
        }
        bytes.push_back(0);
        CHECK(try_decode(bytes) == Outcome::refused);
    }
}

TEST_CASE("protocol: values that no message holds are refused", "[protocol]") {
    CHECK(try_decode(Bytes{14}) == Outcome::refused);
    CHECK(try_decode(Bytes{255}) == Outcome::refused);
    Bytes failed = encode(Failed{});
    failed[1] = static_cast<std::uint8_t>(static_cast<int>(Stage::execve) + 1);
    CHECK(try_decode(failed) == Outcome::refused);
    failed = encode(Failed{});
    failed[2] = static_cast<std::uint8_t>(static_cast<int>(ErrorKind::internal) + 1);
    CHECK(try_decode(failed) == Outcome::refused);
    // Lengths that are longer than what is there, up to those that would overflow.
    for (const int high : {0x01, 0x7f, 0xff}) {
        Bytes filter = encode(Filter{});
        filter[1] = 1;
        filter[8] = static_cast<std::uint8_t>(high);
        CHECK(try_decode(filter) == Outcome::refused);
        Bytes all(9, 0xff);
        all[0] = static_cast<std::uint8_t>(Message(Filter{}).index());
        CHECK(try_decode(all) == Outcome::refused);
    }
}

TEST_CASE("protocol: a truth value is 0 or 1", "[protocol]") {
    plan::InitPlan plan;
    const Bytes without = encode(InitPlanMessage{plan});
    plan.loopback_up = true;
    Bytes with = encode(InitPlanMessage{plan});
    const auto differs = std::mismatch(with.begin(), with.end(), without.begin()).first;
    REQUIRE(differs != with.end());
    *differs = 2;
    CHECK(try_decode(with) == Outcome::refused);
}

TEST_CASE("protocol: random and bit-flipped input gives a message or an error", "[protocol]") {
    const unsigned seed = std::random_device{}();
    INFO("seed " << seed);
    std::mt19937 random(seed);
    const auto below = [&](std::size_t limit) {
        return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random);
    };
    std::vector<Bytes> originals;
    for (const Message& message : sample_messages()) {
        originals.push_back(encode(message));
    }
    std::size_t refused = 0;
    constexpr std::size_t rounds = 100 * 1000;
    for (std::size_t round = 0; round < rounds; ++round) {
        Bytes data;
        if (round % 2 == 0) {
            data.resize(below(64) + 1);
            for (std::uint8_t& byte : data) {
                byte = static_cast<std::uint8_t>(below(256));
            }
            data[0] = static_cast<std::uint8_t>(data[0] % (std::variant_size_v<Message> + 1));
        } else {
            data = originals[round % 3 == 0 ? below(originals.size())
                                            : Message(InitPlanMessage{}).index()];
            for (std::size_t flips = below(4) + 1; flips > 0; --flips) {
                std::uint8_t& byte = data[below(data.size())];
                byte = static_cast<std::uint8_t>(byte ^ (1U << below(8)));
            }
        }
        refused += try_decode(data) == Outcome::refused ? 1 : 0;
    }
    CHECK(refused > rounds / 10);
    CHECK(refused < rounds);
}

TEST_CASE("protocol: the bare failure has its fields where the bare zone writes", "[protocol]") {
    Bytes packet = encode_bare_failure("/bin/x");
    CHECK(packet[0] == static_cast<std::uint8_t>(Fragment::last));
    packet[failed_stage_offset] = static_cast<std::uint8_t>(Stage::seccomp);
    const std::int32_t errnum = 0x01020304;
    REQUIRE(failed_errnum_offset + sizeof errnum <= packet.size());
    std::memcpy(packet.data() + failed_errnum_offset, &errnum, sizeof errnum);
    const Failed failed = std::get<Failed>(decode(std::span(packet).subspan(1)));
    CHECK(failed.stage == Stage::seccomp);
    CHECK(failed.kind == ErrorKind::system);
    CHECK(failed.errnum == errnum);
    CHECK(failed.text == "/bin/x");
    CHECK(packet.size() <= max_fragment_bytes + 1);
}

TEST_CASE("stages: each has a name that fits a process name", "[protocol]") {
    for (int stage = 0; stage <= static_cast<int>(Stage::execve); ++stage) {
        const std::string name = std::string("init:") + name_of(static_cast<Stage>(stage));
        CHECK(name.size() > 5);
        CHECK(name.size() <= 15);
    }
}
