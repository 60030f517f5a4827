#include "spec/spec_support.h"

#include "coracle/spec/documents.h"

using namespace coracle;
using namespace spec_test;
using spec::parse_record;
using spec::Record;
using spec::salvage_record;
using spec::write_record;

namespace {

Record sample() {
    Record record;
    record.oci_version = "1.3.0";
    record.id = "c1";
    record.bundle = "/b\"\xc3\xa4\n";
    record.rootfs = "/b/rootfs";
    record.created = "2026-01-02T03:04:05.123456789Z";
    record.owner = 1000;
    record.boot_id = "boot";
    record.pid_file = "/run/p";
    record.creator_pid = 7;
    record.creator_start_time = 8;
    record.pid = 9;
    record.start_time = ~std::uint64_t{0};
    record.cgroup =
        spec::CgroupRecord{"/user.slice/c1.scope", 77, "/sub", "c1.scope", true, "/run/bus"};
    record.no_cgroup = "why";
    record.resctrl = {"c1/mon_groups/c1", "c1"};
    record.degradations = {"a", "b"};
    record.annotations = {{"k", "v"}, {"l", ""}};
    record.seccomp_listener = spec::ListenerRecord{"/agent", "meta"};
    record.hooks.start_container = {{"/s", {"s", ""}, {"A=1"}, 3}};
    record.hooks.poststart = {{"/p", {}, {}, {}}};
    record.hooks.poststop = {{"/q", {"x"}, {}, 1}, {"/r", {}, {"B="}, {}}};
    return record;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
    const std::size_t at = text.find(from);
    REQUIRE(at != std::string::npos);
    return text.replace(at, from.size(), to);
}

} // namespace

TEST_CASE("record: comes back as it was written", "[record]") {
    const std::string text = write_record(sample());
    CHECK(text.back() == '\n');
    CHECK(text.find('\n') == text.size() - 1);
    CHECK(text.find("{\"recordVersion\":1,\"ociVersion\":\"1.3.0\",\"id\":\"c1\",") == 0);
    const Record back = parse_record(text);
    CHECK(write_record(back) == text);
    CHECK(back.bundle == sample().bundle);
    CHECK(back.owner == 1000);
    CHECK(back.creator_pid == 7);
    CHECK(back.creator_start_time == 8);
    CHECK(back.pid == 9);
    CHECK(back.start_time == ~std::uint64_t{0});
    REQUIRE(back.cgroup);
    CHECK(back.cgroup->path == "/user.slice/c1.scope");
    CHECK(back.cgroup->id == 77);
    CHECK(back.cgroup->sub == "/sub");
    CHECK(back.cgroup->scope == "c1.scope");
    CHECK(back.cgroup->system);
    CHECK(back.cgroup->bus_path == "/run/bus");
    CHECK(back.no_cgroup == "why");
    CHECK(back.resctrl == sample().resctrl);
    CHECK(back.degradations == sample().degradations);
    CHECK(back.annotations == sample().annotations);
    CHECK(write_record(back) == write_record(sample())); // hooks too
    REQUIRE(back.hooks.poststop.size() == 2);
    CHECK(back.hooks.start_container.at(0).timeout == 3);
    CHECK(back.hooks.poststop[1].env == std::vector<std::string>{"B="});
}

TEST_CASE("record: an intent has no pid, no pid file and no cgroup", "[record]") {
    Record record = sample();
    record.pid = 0;
    record.pid_file.clear();
    record.cgroup = spec::CgroupRecord{"", 0, "", "c1.scope", false, "/run/bus"};
    CHECK(parse_record(write_record(record)).cgroup.value().path.empty());
    record.cgroup->scope.clear();
    CHECK(holds(error_of([&] { (void)parse_record(write_record(record)); }).text(),
                "neither a path nor a unit"));
    record.cgroup.reset();
    const Record back = parse_record(write_record(record));
    CHECK(back.pid == 0);
    CHECK(back.pid_file.empty());
    CHECK_FALSE(back.cgroup);
}

TEST_CASE("record: a path that JSON cannot hold is refused, not changed", "[record]") {
    Record record = sample();
    record.bundle = "/b\xff";
    CHECK(holds(error_of([&] { (void)write_record(record); }).text(),
                "the bundle \"/b\\xff\" is not UTF-8"));
    record.bundle = "/b\xef\xbf\xbd"; // U+FFFD itself is fine
    CHECK(parse_record(write_record(record)).bundle == record.bundle);
}

TEST_CASE("record: what is refused", "[record]") {
    struct Row {
        const char* from;
        const char* to;
        const char* text;
    };
    const std::vector<Row> rows{
        {"\"recordVersion\":1", "\"recordVersion\":2", "/recordVersion: is not 1: another version"},
        {"\"recordVersion\":1", "\"recordVersion\":\"1\"", "/recordVersion: must be an integer"},
        {"\"recordVersion\":1,", "", "the member \"recordVersion\" is missing"},
        {"\"recordVersion\":1", "\"recordVersion\":1,\"recordVersion\":1", "twice"},
        {"\"c1\"", "\"\"", "/id: must be a container id"},
        {"\"c1\"", "\".\"", "/id: must be a container id"},
        {"\"c1\"", "\"..\"", "/id: must be a container id"},
        {"\"c1\"", "\".c1\"", "/id: must be a container id"},
        {"\"c1\"", "\"a/b\"", "/id: must be a container id"},
        {"\"c1\"", "\"a b\"", "/id: must be a container id"},
        {"\"c1\"", "\"a\\n\"", "/id: must be a container id"},
        {"\"/b/rootfs\"", "\"rootfs\"", "/rootfs: must be an absolute path"},
        {"\"/b/rootfs\"", "\"\"", "/rootfs: must be an absolute path"},
        {"\"/run/p\"", "\"p\"", "/pidFile: must be an absolute path"},
        {"\"/user.slice/c1.scope\"", "\"/a/../c1.scope\"", "/cgroup/path: must be the path"},
        {"\"/user.slice/c1.scope\"", "\"/\"", "/cgroup/path: must be the path"},
        {"\"/user.slice/c1.scope\"", "\"/other.scope\"", "/cgroup: has a unit that is not"},
        {"\"busPath\":\"/run/bus\"", "\"busPath\":\"run\"", "/busPath: must be an absolute path"},
        {"\"sub\":\"/sub\"", "\"sub\":\"../x\"", "/cgroup/sub: must be the path"},
        {"\"pid\":9", "\"pid\":-9", "/pid: must not be negative"},
        {"\"pid\":9", "\"pid\":2147483648", "/pid: must be an integer"},
        {"\"pid\":9,", "", "the member \"pid\" is missing"},
        {"\"creatorPid\":7", "\"creatorPid\":-1", "/creatorPid: must not be negative"},
        {"\"owner\":1000", "\"owner\":4294967296", "/owner: must be an integer"},
        {"\"startTime\":18446744073709551615,", "", "the member \"startTime\" is missing"},
        {"\"bootId\":\"boot\",", "", "the member \"bootId\" is missing"},
    };
    const std::string text = write_record(sample());
    for (const Row& row : rows) {
        CAPTURE(row.from, row.to);
        const Error error = error_of([&] { (void)parse_record(replaced(text, row.from, row.to)); });
        CHECK(error.kind() == ErrorKind::invalid_config);
        CHECK(holds(error.text(), "record.json: "));
        CHECK(holds(error.text(), row.text));
    }
    CHECK_NOTHROW(parse_record(replaced(text, "\"c1\"", "\"+a.b-_9\"")));
    CHECK_NOTHROW(parse_record(replaced(text, "c1", std::string(1024, 'a'))));
    CHECK_THROWS_AS(parse_record(replaced(text, "c1", std::string(1025, 'a'))), Error);
}

TEST_CASE("record: what identifies init can be salvaged", "[record]") {
    const std::string text = write_record(sample());
    const std::optional<Record> other =
        salvage_record(replaced(text, "\"recordVersion\":1", "\"recordVersion\":2"));
    REQUIRE(other);
    CHECK(other->pid == 9);
    CHECK(other->start_time == sample().start_time);
    CHECK(other->boot_id == "boot");
    CHECK(other->id.empty());
    for (const char* lost : {"\"pid\":9", "\"startTime\":", "\"bootId\":\"boot\""}) {
        CHECK_FALSE(salvage_record(replaced(text, lost, "\"x\":1")));
    }
    CHECK_FALSE(salvage_record(""));
    for (std::size_t length = 0; length < text.size(); ++length) {
        CHECK_NOTHROW(salvage_record(std::string_view(text).substr(0, length)));
    }
}

TEST_CASE("record: damage throws Error and nothing else", "[record]") {
    std::string text = write_record(sample());
    text.pop_back();
    for (std::size_t length = 0; length < text.size(); ++length) {
        CHECK_THROWS_AS(parse_record(std::string_view(text).substr(0, length)), Error);
    }
    for (std::size_t bit = 0; bit < text.size() * 8; ++bit) {
        std::string flipped = text;
        flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
        try {
            (void)parse_record(flipped);
        } catch (const Error& error) {
            CHECK(error.kind() == ErrorKind::invalid_config);
        }
    }
}
