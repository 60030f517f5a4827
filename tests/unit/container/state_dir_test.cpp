#include "unit/container/container_support.h"

#include "coracle/sys/file.h"
#include "support/forked.h"

#include <sys/file.h>
#include <sys/stat.h>

using namespace coracle;
using namespace coracle::test;
using namespace coracle::container;
using sys::Fd;

namespace {

mode_t mode_of(const TempDir& temp, const std::string& name) {
    return sys::find_stat(temp.fd(), name).value().st_mode & 07777U;
}

Error refusal_of(const std::string& path) {
    return error_of([&] { (void)StateRoot::open(path, MissingRoot::make); });
}

} // namespace

TEST_CASE("id: the grammar", "[container]") {
    for (const std::string& id : {std::string("a"), std::string("Z_+-.9"), std::string("-a"),
                                  std::string("+"), std::string("_"), std::string("0"),
                                  std::string("a..b"), std::string("a."), std::string(255, 'x')}) {
        INFO(id);
        CHECK_NOTHROW(require_valid_id(id));
    }
    for (const std::string& id :
         {std::string(), std::string("."), std::string(".."), std::string(".a"), std::string("a/b"),
          std::string("/"), std::string("a b"), std::string("a\n"), std::string("a\0b", 3),
          std::string("\0", 1), std::string("a\\b"), std::string("a:b"), std::string("a@b"),
          std::string("\xc3\xa4"), std::string("a\xff"), std::string("a%"), std::string("a,b"),
          std::string("a\x7f"), std::string(256, 'x')}) {
        INFO(id);
        const Error error = error_of([&] { require_valid_id(id); });
        CHECK(error.kind() == ErrorKind::invalid_config);
        CHECK(error.text().rfind("invalid container ID format: \"", 0) == 0);
        CHECK(error.text().find('\n') == std::string::npos);
    }
}

TEST_CASE("state root: where it is by default", "[container]") {
    struct Row {
        RootInputs inputs;
        const char* path;
    };
    for (const Row& row : std::vector<Row>{
             {{0, true, "", "", false}, "/run/coracle"},
             {{0, true, "/run/user/0", "root", true}, "/run/coracle"},
             {{0, true, "/x", "alice", false}, "/run/coracle"},
             {{0, false, "/run/user/1000", "alice", false}, "/run/user/1000/coracle"},
             {{0, false, "/run/user/1000", "", false}, "/run/user/1000/coracle"},
             {{0, false, "/run/user/1000", "root", false}, "/run/coracle"},
             {{0, false, "", "alice", false}, "/run/coracle"},
             {{1000, true, "/run/user/1000", "alice", true}, "/run/user/1000/coracle"},
             {{1000, true, "/run/user/1000", "root", true}, "/run/user/1000/coracle"},
             {{1000, true, "", "alice", true}, "/run/user/1000/coracle"},
             {{1000, true, "", "alice", false}, "/tmp/coracle-1000"},
             {{4294967294, true, "", "", false}, "/tmp/coracle-4294967294"},
         }) {
        INFO(row.inputs.euid << " " << row.inputs.xdg_runtime_dir << " " << row.inputs.user);
        CHECK(default_state_root(row.inputs) == row.path);
    }
}

TEST_CASE("state root: made private, with its parents", "[container]") {
    const TempDir temp;
    CHECK_FALSE(StateRoot::open(temp.path("a/b"), MissingRoot::is_empty));
    CHECK_FALSE(temp.has("a"));
    (void)::umask(0);
    const std::optional<StateRoot> root = StateRoot::open(temp.path("a//./b/"), MissingRoot::make);
    (void)::umask(022);
    REQUIRE(root);
    CHECK(mode_of(temp, "a") == 0700);
    CHECK(mode_of(temp, "a/b") == 0700);
    CHECK(is_close_on_exec(root->fd()));
    CHECK(root->ids().empty());
    for (const char* name : {"c2", "c1", "C"}) {
        temp.directory(std::string("a/b/") + name);
    }
    temp.directory("a/b/.hidden");
    temp.directory("a/b/a\nc1\x1b[31m"); // no id, and not for a terminal
    CHECK(root->ids() == std::vector<std::string>{"C", "c1", "c2"});
    CHECK_FALSE(root->has_record("c1"));
    temp.file("a/b/c1/record.json");
    CHECK(root->has_record("c1"));
    if (::geteuid() == 0) {
        REQUIRE(::chown(temp.path("a/b/c1").c_str(), 1000, 1000) == 0);
        CHECK_FALSE(root->has_record("c1")); // another user's
    }
}

TEST_CASE("state root: what others may write to is refused", "[container]") {
    const TempDir temp;
    temp.directory("root");
    for (const mode_t mode : {0720, 0702, 0777, 01777, 0770}) {
        INFO(mode);
        REQUIRE(::chmod(temp.path("root").c_str(), mode) == 0);
        const Error error = refusal_of(temp.path("root"));
        CHECK(error.kind() == ErrorKind::denied);
        holds(error.text(), "owner " + std::to_string(::geteuid()) + " and mode ");
    }
    holds(refusal_of(temp.path("root")).text(), "mode 0770: it must be yours");
    for (const mode_t mode : {0700, 0755, 0711, 0750}) {
        REQUIRE(::chmod(temp.path("root").c_str(), mode) == 0);
        CHECK(StateRoot::open(temp.path("root"), MissingRoot::is_empty));
    }
}

TEST_CASE("state root: a link, a file or a foreign directory is refused", "[container]") {
    const TempDir temp;
    temp.directory("real");
    temp.link("link", "real");
    temp.link("dangling", "none");
    temp.file("file");
    for (const char* name : {"link", "dangling", "file"}) {
        INFO(name);
        const Error error = refusal_of(temp.path(name));
        CHECK(error.kind() == ErrorKind::system);
        CHECK((error.errnum() == ENOTDIR || error.errnum() == ELOOP));
        holds(error.text(), "a symbolic link or a file is refused there");
    }
    CHECK_FALSE(temp.has("none"));
    holds(refusal_of(temp.path("file/x")).text(), "not a directory");
    for (const char* path : {"", "relative", "/", "//", "/.", "/a/.."}) {
        INFO(path);
        const Error error = refusal_of(path);
        CHECK(error.kind() == ErrorKind::usage);
        holds(error.text(), "must be a directory below /");
    }
    // Somebody else's: root's for a plain user, and a plain user's for root.
    if (::geteuid() == 0) {
        REQUIRE(::chown(temp.path("real").c_str(), 1000, 0) == 0);
        CHECK(refusal_of(temp.path("real")).kind() == ErrorKind::denied);
    } else {
        CHECK(refusal_of("/usr").kind() == ErrorKind::denied);
    }
}

TEST_CASE("container directory: made once, private, found again", "[container]") {
    const TempDir temp;
    const StateRoot root = open_root(temp);
    CHECK_FALSE(ContainerDir::find(root, "c1"));
    const ContainerDir dir = ContainerDir::create(root, "c1");
    CHECK(mode_of(temp, "root/c1") == 0700);
    const Error error = error_of([&] { (void)ContainerDir::create(root, "c1"); });
    CHECK(error.kind() == ErrorKind::wrong_state);
    CHECK(error.text() == "container with given ID already exists: c1");
    CHECK(ContainerDir::find(root, "c1"));
    temp.link("root/link", "c1");
    CHECK_FALSE(ContainerDir::find(root, "link")); // not one of ours
    temp.file("root/file");
    CHECK_FALSE(ContainerDir::find(root, "file"));
}

TEST_CASE("container directory: a foreign one is refused", "[container]") {
    if (::geteuid() != 0) {
        WARN("skipped: giving a directory away needs root");
        return;
    }
    const TempDir temp;
    const StateRoot root = open_root(temp);
    temp.directory("root/c1");
    REQUIRE(::chown(temp.path("root/c1").c_str(), 1000, 1000) == 0);
    CHECK(error_of([&] { (void)ContainerDir::find(root, "c1"); }).kind() == ErrorKind::denied);
    temp.file("root/c1/file");
    CHECK(root.remove_stray("c1"));
    CHECK_FALSE(temp.has("root/c1"));
}

TEST_CASE("container directory: the record comes back, and only one of its own", "[container]") {
    const TempDir temp;
    const StateRoot root = open_root(temp);
    ContainerDir dir = ContainerDir::create(root, "c1");
    CHECK_FALSE(dir.load());
    dir.save(sample_record("c1"));
    CHECK(mode_of(temp, "root/c1/record.json") == 0600);
    REQUIRE(dir.load());
    CHECK(spec::write_record(*dir.load()) == spec::write_record(sample_record("c1")));
    spec::Record changed = sample_record("c1");
    changed.pid = 7;
    dir.save(changed);
    CHECK(dir.load()->pid == 7);
    temp.file("root/c1/.record.json.new", "left by one that was killed");
    dir.save(changed);
    CHECK(dir.load()->pid == 7);
    dir.save_copy();
    CHECK_FALSE(temp.has("root/c1/.record.json.new"));
    CHECK(temp.read("root/c1/record.copy") == temp.read("root/c1/record.json"));

    dir.save(sample_record("c2"));
    const Error error = error_of([&] { (void)dir.load(); });
    CHECK(error.kind() == ErrorKind::invalid_config);
    CHECK(error.text() == "state of container c1: record.json: it is the record of c2");
    for (const char* text : {"", "{", "{}", "null", "{\"recordVersion\":1}"}) {
        INFO(text);
        temp.file("root/c1/record.json", text);
        const Error broken = error_of([&] { (void)dir.load(); });
        CHECK(broken.kind() == ErrorKind::invalid_config);
        CHECK(broken.text().rfind("state of container c1: record.json: ", 0) == 0);
    }
}

TEST_CASE("container directory: what was staged is saved if it is the same", "[container]") {
    const TempDir temp;
    const StateRoot root = open_root(temp);
    ContainerDir dir = ContainerDir::create(root, "c1");
    spec::Record record = sample_record("c1");
    record.pid = 0;
    dir.save(record);
    record.pid = 7;
    dir.stage(record);
    CHECK(dir.load()->pid == 0);
    const ino_t staged = sys::find_stat(temp.fd(), "root/c1/.record.json.new")->st_ino;
    dir.save(record);
    CHECK(dir.load()->pid == 7);
    CHECK(sys::find_stat(temp.fd(), "root/c1/record.json")->st_ino == staged);
    dir.stage(record);
    record.pid = 8;
    dir.save(record);
    CHECK(dir.load()->pid == 8);
    dir.save_copy();
    CHECK(temp.read("root/c1/record.copy") == temp.read("root/c1/record.json"));
    // Where it cannot be staged, save says so.
    temp.directory("root/c1/.record.json.new/d");
    CHECK_NOTHROW(dir.stage(record));
    CHECK(error_of([&] { dir.save(record); }).kind() == ErrorKind::system);
    CHECK(dir.load()->pid == 8);
}

TEST_CASE("container directory: a retired one has no record, and yet one for its deleter",
          "[container]") {
    const TempDir temp;
    const StateRoot root = open_root(temp);
    ContainerDir dir = ContainerDir::create(root, "c1");
    dir.save(sample_record("c1"));
    CHECK_FALSE(dir.load_retired());
    dir.retire();
    CHECK_FALSE(dir.load());
    REQUIRE(dir.load_retired());
    CHECK(dir.load_retired()->id == "c1");
    CHECK(error_of([&] { (void)ContainerDir::create(root, "c1"); }).kind() ==
          ErrorKind::wrong_state);
    dir.remove();
    CHECK_FALSE(temp.has("root/c1"));
    CHECK(error_of([&] { dir.retire(); }).kind() == ErrorKind::system);
}

TEST_CASE("container directory: a record that is no regular file does not block", "[container]") {
    const TempDir temp;
    const StateRoot root = open_root(temp);
    ContainerDir dir = ContainerDir::create(root, "c1");
    REQUIRE(::mkfifo(temp.path("root/c1/record.json").c_str(), 0600) == 0);
    CHECK(error_of([&] { (void)dir.load(); }).kind() == ErrorKind::invalid_config);
    std::filesystem::remove(temp.path("root/c1/record.json"));
    temp.link("root/c1/record.json", "/etc/passwd");
    CHECK(error_of([&] { (void)dir.load(); }).kind() == ErrorKind::invalid_config);
    dir.save(sample_record("c1")); // replaces the link, not what it names
    CHECK(dir.load());
}

TEST_CASE("container directory: two lockers, one after the other", "[container]") {
    const TempDir temp;
    const StateRoot root = open_root(temp);
    std::optional<ContainerDir> creator = ContainerDir::create(root, "c1");
    std::optional<ContainerDir> other = ContainerDir::find(root, "c1");
    REQUIRE(other);
    CHECK(other->is_locked_by_another());
    PipeEnds go = make_pipe();
    Forked waiter([&] {
        std::optional<ContainerDir> mine = ContainerDir::find(root, "c1");
        creator.reset(); // this process's copy
        go.writer.reset();
        char byte = 0;
        (void)!::read(go.reader.get(), &byte, 1);
        ::_exit(mine->lock() ? 42 : 1);
    });
    go.writer.reset();
    (void)::usleep(20 * 1000);
    CHECK(::waitpid(waiter.pid(), nullptr, WNOHANG) == 0); // it waits
    creator.reset();
    CHECK(waiter.wait() == 42 << 8);
    CHECK_FALSE(other->is_locked_by_another()); // a lock ends with its process
    CHECK(other->lock());
}

TEST_CASE("container directory: who waited for a deleted one is told", "[container]") {
    const TempDir temp;
    const StateRoot root = open_root(temp);
    std::optional<ContainerDir> deleter = ContainerDir::create(root, "c1");
    std::optional<ContainerDir> late = ContainerDir::find(root, "c1");
    REQUIRE(late);
    deleter->remove();
    deleter.reset();
    CHECK_FALSE(late->lock());
    CHECK_FALSE(late->is_locked_by_another());
    CHECK_FALSE(late->load());
    // Another of that name is not the one that was waited for.
    const ContainerDir again = ContainerDir::create(root, "c1");
    CHECK_FALSE(late->lock());
}

TEST_CASE("container directory: remove takes all of it, twice if need be", "[container]") {
    const TempDir temp;
    const StateRoot root = open_root(temp);
    ContainerDir dir = ContainerDir::create(root, "c1");
    dir.save(sample_record("c1"));
    const Fd gate = dir.listen_at_gate();
    temp.file("root/c1/.record.json.new", "x");
    temp.file("root/c1/unknown", "x");
    temp.directory("root/c1/empty");
    temp.file("outside", "o");
    temp.link("root/c1/link", temp.path("outside"));
    dir.remove();
    CHECK_FALSE(temp.has("root/c1"));
    CHECK(temp.read("outside") == "o");
    CHECK_NOTHROW(dir.remove());
    CHECK(root.ids().empty());
}

TEST_CASE("container directory: what others put inside goes too, links are not followed",
          "[container]") {
    const TempDir temp;
    const StateRoot root = open_root(temp);
    const ContainerDir dir = ContainerDir::create(root, "c1");
    temp.file("root/c1/f");
    temp.directory("root/c1/d/e");
    temp.directory("kept/inner");
    temp.link("root/c1/d/link", "../../../kept");
    dir.remove();
    CHECK_FALSE(temp.has("root/c1"));
    CHECK(temp.has("kept/inner"));
}

TEST_CASE("container directory: one that another creator fills is not ours", "[container]") {
    const TempDir temp;
    const StateRoot root = open_root(temp);
    temp.file("root/stray");
    CHECK(error_of([&] { (void)ContainerDir::create(root, "stray"); }).kind() ==
          ErrorKind::wrong_state);
    CHECK(root.remove_stray("stray"));
    CHECK_FALSE(temp.has("root/stray"));
    CHECK_FALSE(root.remove_stray("stray"));
    CHECK_NOTHROW(ContainerDir::create(root, "stray"));
    CHECK_FALSE(root.remove_stray("stray"));
    CHECK(temp.has("root/stray"));
}
