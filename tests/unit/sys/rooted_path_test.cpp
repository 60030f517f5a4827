#include "unit/sys/sys_support.h"

#include "coracle/sys/file.h"
#include "coracle/sys/rooted_path.h"
#include "support/forked.h"

#include <array>
#include <climits>
#include <sched.h>
#include <sys/stat.h>
#include <vector>

using namespace coracle;
using namespace coracle::test;
using sys::Fd;
using sys::NodeKind;
using sys::Symlinks;

namespace {

/// A root with what an attacker puts there, beside a host that must not be touched.
class HostileTree {
  public:
    HostileTree() {
        temp_.directory("root/dir/sub");
        temp_.directory("host/etc");
        temp_.file("host/etc/secret", "secret");
        temp_.file("root/dir/file", "inside");
        temp_.file("root/top", "top");
        const std::vector<std::pair<const char*, const char*>> links{
            {"absolute", "/dir/file"},
            {"relative", "dir/../dir/file"},
            {"climb", "../../../../../../../../../../dir/file"},
            {"dir/up", "../../../top"},
            {"escape", "../host/etc/secret"},
            {"loop-a", "loop-b"},
            {"loop-b", "loop-a"},
            {"self", "self"},
            {"dangling", "made/by/link"},
            {"dangling-out", "../../../../host/new"},
            {"to-dir", "/dir"},
            {"slash", "/"},
            {"dotdot", ".."},
            {"to-fifo", "fifo"},
            {"chain-0", "dir/file"},
        };
        for (const auto& [name, target] : links) {
            temp_.link(std::string("root/") + name, target);
        }
        temp_.link("root/host-absolute", temp_.path("host/etc/secret"));
        temp_.link("root/dangling-host", temp_.path("host/new"));
        for (int i = 1; i <= 45; ++i) {
            temp_.link("root/chain-" + std::to_string(i), "chain-" + std::to_string(i - 1));
        }
        (void)::mkfifoat(temp_.fd(), "root/fifo", 0600);
        root_ = sys::open_at(temp_.fd(), "root", O_PATH | O_DIRECTORY);
    }

    [[nodiscard]] int root() const noexcept { return root_.get(); }
    [[nodiscard]] const TempDir& temp() const noexcept { return temp_; }

    /// What `path` leads to, as a path below the root, or "errno N".
    [[nodiscard]] std::string resolve(const std::string& path) const {
        Fd found;
        const int errnum =
            sys::try_open_in_root(root_.get(), path, O_PATH, Symlinks::follow, found);
        return errnum != 0 ? "errno " + std::to_string(errnum) : name_of(found);
    }
    [[nodiscard]] std::string name_of(const Fd& fd) const {
        const std::string name =
            sys::read_link(AT_FDCWD, "/proc/self/fd/" + std::to_string(fd.get()));
        const std::string prefix = temp_.path("root");
        if (name.rfind(prefix, 0) != 0) {
            return "outside: " + name;
        }
        return name.size() == prefix.size() ? "/" : name.substr(prefix.size());
    }

  private:
    TempDir temp_;
    Fd root_;
};

std::string errno_text(int errnum) {
    return "errno " + std::to_string(errnum);
}

std::vector<std::string> hostile_paths() {
    return {"/dir/file",
            "dir/file",
            "/absolute",
            "/relative",
            "/climb",
            "/dir/up",
            "/escape",
            "/host-absolute",
            "/loop-a",
            "/self",
            "/dangling",
            "/dangling-out",
            "/to-dir/file",
            "/to-dir/../top",
            "/slash/top",
            "/dotdot/dotdot/top",
            "/..",
            "/../..",
            "/",
            "//dir///file",
            "/./dir/./sub/.",
            "/dir/sub/../..",
            "/top/",
            "/top/..",
            "/top/x",
            "/dir/none/..",
            "/chain-39",
            "/chain-40",
            "/chain-45",
            "/fifo",
            "/to-fifo/",
            "/none"};
}

} // namespace

TEST_CASE("rooted path: resolves below the root whatever the links say", "[sys]") {
    const HostileTree tree;
    struct Row {
        const char* path;
        std::string found;
    };
    for (const Row& row : std::vector<Row>{
             {"/absolute", "/dir/file"},
             {"/relative", "/dir/file"},
             {"/climb", "/dir/file"},
             {"/dir/up", "/top"},
             {"/escape", errno_text(ENOENT)},
             {"/host-absolute", errno_text(ENOENT)},
             {"/../../../../host/etc/secret", errno_text(ENOENT)},
             {"/loop-a", errno_text(ELOOP)},
             {"/self", errno_text(ELOOP)},
             {"/dangling", errno_text(ENOENT)},
             {"/slash", "/"},
             {"/dotdot/dotdot/dir/..", "/"},
             {"/chain-39", "/dir/file"}, // 40 links
             {"/chain-40", errno_text(ELOOP)},
             {"/top/..", errno_text(ENOTDIR)},
             {"", errno_text(ENOENT)},
         }) {
        INFO(row.path);
        CHECK(tree.resolve(row.path) == row.found);
    }
    CHECK(tree.resolve(std::string(4096, 'a')) == errno_text(ENAMETOOLONG));
    CHECK(tree.resolve(std::string(256, 'a')) == errno_text(ENAMETOOLONG));
    CHECK(tree.resolve(std::string(255, 'a')) == errno_text(ENOENT));
}

TEST_CASE("rooted path: as chroot and realpath see it", "[sys]") {
    if (::geteuid() != 0) {
        WARN("skipped: chroot(2) needs root");
        return;
    }
    const HostileTree tree;
    for (const std::string& path : hostile_paths()) {
        INFO(path);
        const std::string oracle = run_forked([&]() -> std::string {
            if (::chroot(tree.temp().path("root").c_str()) != 0 || ::chdir("/") != 0) {
                return "chroot failed";
            }
            std::array<char, PATH_MAX> buffer{};
            const char* found = ::realpath(path.c_str(), buffer.data());
            return found == nullptr ? errno_text(errno) : std::string(found);
        });
        const std::string resolved = tree.resolve(path);
        CHECK(resolved == oracle);
    }
}

TEST_CASE("rooted path: no link is followed when they are refused", "[sys]") {
    const HostileTree tree;
    Fd found;
    for (const char* path : {"/absolute", "/to-dir/file", "/slash", "/dotdot/top"}) {
        INFO(path);
        CHECK(sys::try_open_in_root(tree.root(), path, O_PATH, Symlinks::refuse, found) == ELOOP);
    }
    CHECK(sys::try_open_in_root(tree.root(), "/dir/sub/../file", O_PATH, Symlinks::refuse, found) ==
          0);
    CHECK(is_close_on_exec(found.get()));
}

TEST_CASE("rooted path: magic links lead nowhere", "[sys]") {
    const Fd proc = sys::open_at(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY);
    Fd found;
    for (const char* path : {"/self/root", "/self/root/etc/passwd", "/self/cwd", "/self/exe",
                             "/self/fd/0", "/self/ns/mnt"}) {
        INFO(path);
        CHECK(sys::try_open_in_root(proc.get(), path, O_PATH, Symlinks::follow, found) == ELOOP);
        CHECK_THROWS_AS(sys::make_in_root(proc.get(), path, NodeKind::file), Error);
    }
    CHECK(sys::try_open_in_root(proc.get(), "/self/status", O_RDONLY, Symlinks::follow, found) ==
          0);
}

TEST_CASE("rooted path: the error names the path", "[sys]") {
    const HostileTree tree;
    const Error error = error_of([&] { (void)sys::open_in_root(tree.root(), "/no\tne", O_PATH); });
    CHECK(error.errnum() == ENOENT);
    CHECK(error.text() == "open /no\\tne in the root file system: no such file or directory");
}

TEST_CASE("make in root: what exists is opened, what does not is made", "[sys]") {
    const HostileTree tree;
    (void)::umask(022);
    struct Row {
        const char* path;
        NodeKind kind;
        const char* made;
    };
    for (const Row& row : std::vector<Row>{
             {"/dir", NodeKind::directory, "/dir"},
             {"/absolute", NodeKind::file, "/dir/file"},
             {"/", NodeKind::directory, "/"},
             {"/new/a/b", NodeKind::directory, "/new/a/b"},
             {"new//a/./c", NodeKind::file, "/new/a/c"},
             {"/to-dir/n/f", NodeKind::file, "/dir/n/f"},
             {"/dangling", NodeKind::file, "/made/by/link"},
             {"/dangling-out", NodeKind::directory, "/host/new"},
             {"/dangling-host/f", NodeKind::file, nullptr},
             {"/dir/sub/../made", NodeKind::file, "/dir/made"},
             {"/../../x", NodeKind::file, "/x"},
         }) {
        INFO(row.path);
        const Fd made = sys::make_in_root(tree.root(), row.path, row.kind);
        if (row.made != nullptr) {
            CHECK(tree.name_of(made) == row.made);
        } else {
            CHECK(tree.name_of(made) == tree.temp().path("host/new/f"));
        }
        const struct stat status = sys::stat_of(made.get(), row.path);
        CHECK(S_ISDIR(status.st_mode) == (row.kind == NodeKind::directory));
        CHECK(is_close_on_exec(made.get()));
        CHECK((::fcntl(made.get(), F_GETFL) & O_PATH) != 0);
    }
    CHECK((sys::find_stat(tree.root(), "new/a")->st_mode & 07777U) == 0755);
    CHECK((sys::find_stat(tree.root(), "new/a/c")->st_mode & 07777U) == 0644);
    CHECK_FALSE(tree.temp().has("host/new")); // the host's, of the same name
    CHECK(tree.temp().read("host/etc/secret") == "secret");
}

TEST_CASE("make in root: what cannot be made is refused, and nothing else touched", "[sys]") {
    const HostileTree tree;
    struct Row {
        const char* path;
        int errnum;
    };
    for (const Row& row : std::vector<Row>{{"/loop-a", ELOOP},
                                           {"/loop-a/x", ELOOP},
                                           {"/chain-45", ELOOP},
                                           {"/top/x", ENOTDIR},
                                           {"/fifo/x/y", ENOTDIR}}) {
        INFO(row.path);
        const Error error =
            error_of([&] { (void)sys::make_in_root(tree.root(), row.path, NodeKind::file); });
        CHECK(error.errnum() == row.errnum);
    }
    const Error climbs =
        error_of([&] { (void)sys::make_in_root(tree.root(), "/none/../x", NodeKind::directory); });
    CHECK(climbs.kind() == ErrorKind::denied);
    holds(climbs.text(), "climbs through a directory that does not exist");
    const std::string deep = "/" + std::string(256, 'n');
    CHECK(error_of([&] { (void)sys::make_in_root(tree.root(), deep, NodeKind::file); }).errnum() ==
          ENAMETOOLONG);
    CHECK_FALSE(tree.temp().has("root/x"));
}

TEST_CASE("make in root: dangling links that lead to each other end", "[sys]") {
    const TempDir temp;
    temp.link("a", "b/x"); // b is missing, then a link back
    temp.link("b", "a/y");
    const Error error =
        error_of([&] { (void)sys::make_in_root(temp.fd(), "/a", NodeKind::directory); });
    CHECK(error.errnum() == ELOOP);
}

TEST_CASE("parent in root: the last component is not followed", "[sys]") {
    const HostileTree tree;
    const sys::Parent parent = sys::open_parent_in_root(tree.root(), "/to-dir/absolute/");
    CHECK(tree.name_of(parent.directory) == "/dir");
    CHECK(parent.name == "absolute");
    CHECK(tree.name_of(sys::open_parent_in_root(tree.root(), "/top").directory) == "/");
    CHECK(tree.name_of(sys::open_parent_in_root(tree.root(), "/n/m/o").directory) == "/n/m");
    for (const char* path : {"/", "", "/..", "/dir/..", "/."}) {
        INFO(path);
        const Error error = error_of([&] { (void)sys::open_parent_in_root(tree.root(), path); });
        CHECK(error.kind() == ErrorKind::denied);
        holds(error.text(), "does not name an entry");
    }
}

TEST_CASE("rooted path: a renamer that swaps a directory for a link never leads out", "[sys]") {
    const HostileTree tree;
    tree.temp().directory("root/swap");
    tree.temp().link("root/other", "../../host");
    Forked renamer([&] {
        const std::string a = tree.temp().path("root/swap");
        const std::string b = tree.temp().path("root/other");
        for (;;) {
            (void)::renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE);
        }
    });
    int outside = 0;
    for (int i = 0; i < 2000; ++i) {
        try {
            const Fd made = sys::make_in_root(tree.root(), "/swap/etc/secret2", NodeKind::file);
            const std::string name = tree.name_of(made);
            outside += name.rfind("outside", 0) == 0 ? 1 : 0;
        } catch (const Error&) { // a refusal is fine
        }
    }
    CHECK(outside == 0);
    CHECK_FALSE(tree.temp().has("host/etc/secret2"));
}
