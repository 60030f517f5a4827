#include "unit/sys/sys_support.h"

#include "coracle/sys/file.h"
#include "coracle/sys/rooted_path.h"
#include "support/forked.h"
#include "sys/path_walk_private.h"

#include <random>
#include <sys/stat.h>
#include <vector>

using namespace coracle;
using namespace coracle::test;
using sys::Fd;
using sys::Symlinks;

namespace {

using Random = std::mt19937;

std::size_t pick(Random& random, std::size_t count) {
    return std::uniform_int_distribution<std::size_t>(0, count - 1)(random);
}

/// One to five components out of few names, so that many exist.
std::string make_path(Random& random) {
    static const std::vector<std::string> parts{"a", "b", "c", "d", "e", "..", "..", ".", ""};
    std::string path = pick(random, 2) == 0 ? "/" : "";
    for (std::size_t left = 1 + pick(random, 5); left > 0; --left) {
        path += parts[pick(random, parts.size())] + (left > 1 || pick(random, 8) == 0 ? "/" : "");
    }
    return path.empty() ? "." : path;
}

/// A root of directories, files and links, beside a host with the same names.
void make_tree(Random& random, const TempDir& temp) {
    static const std::vector<std::string> names{"a", "b", "c", "d", "e"};
    std::vector<std::string> directories{"root", "host"};
    for (int i = 0; i < 40; ++i) {
        const std::string path =
            directories[pick(random, directories.size())] + "/" + names[pick(random, names.size())];
        if (temp.has(path)) {
            continue;
        }
        switch (pick(random, 4)) {
        case 0:
            temp.file(path);
            break;
        case 1:
            temp.directory(path);
            directories.push_back(path);
            break;
        default:
            temp.link(path, make_path(random));
        }
    }
}

using Resolver = int (*)(int, const std::string&, int, Symlinks, Fd&) noexcept;

/// "errno N", or which file it is and what the descriptor may do; O_NOFOLLOW means nothing any
/// more.
std::string answer(Resolver resolve, int root, const std::string& path, int flags,
                   Symlinks symlinks) {
    Fd found;
    const int errnum = resolve(root, path, flags, symlinks, found);
    if (errnum != 0) {
        return "errno " + std::to_string(errnum) + (found ? " and an fd" : "");
    }
    constexpr int meaningless = O_NOFOLLOW | O_DIRECTORY; // once it is open
    const struct stat status = sys::stat_of(found.get(), path);
    return std::to_string(status.st_ino) + " flags " +
           std::to_string(::fcntl(found.get(), F_GETFL) & ~meaningless) +
           (is_close_on_exec(found.get()) ? "" : " inherited");
}

/// The same from a process whose root it is.
std::string answer_of_chroot(const TempDir& temp, const std::vector<std::string>& paths) {
    return run_forked([&]() -> std::string {
        if (::chroot(temp.path("root").c_str()) != 0 || ::chdir("/") != 0) {
            return "chroot failed";
        }
        std::string text;
        for (const std::string& path : paths) {
            struct stat status {};
            text += ::stat(path.c_str(), &status) == 0 ? std::to_string(status.st_ino)
                                                       : "errno " + std::to_string(errno);
            text += "\n";
        }
        return text;
    });
}

} // namespace

TEST_CASE("path walk: on random trees it answers as openat2 does", "[sys]") {
    static const std::vector<int> all_flags{
        O_PATH,   O_PATH | O_DIRECTORY,  O_PATH | O_NOFOLLOW, O_RDONLY | O_NONBLOCK,
        O_WRONLY, O_RDONLY | O_DIRECTORY};
    int found = 0;
    for (unsigned seed = 1; seed <= 60; ++seed) {
        Random random(seed);
        const TempDir temp;
        temp.directory("root");
        temp.directory("host");
        make_tree(random, temp);
        const Fd root = sys::open_at(temp.fd(), "root", O_PATH | O_DIRECTORY);
        for (int i = 0; i < 60; ++i) {
            const std::string path = make_path(random);
            const int flags = all_flags[pick(random, all_flags.size())];
            const Symlinks symlinks = pick(random, 4) == 0 ? Symlinks::refuse : Symlinks::follow;
            INFO("seed " << seed << " path " << path << " flags " << flags);
            const std::string walked = answer(sys::walk_in_root, root.get(), path, flags, symlinks);
            CHECK(walked == answer(sys::try_open_in_root, root.get(), path, flags, symlinks));
            found += walked.starts_with("errno") ? 0 : 1;
        }
    }
    CHECK(found > 500); // else nothing was tried
}

TEST_CASE("path walk: on random trees it answers as a process in that root sees it", "[sys]") {
    if (::geteuid() != 0) {
        WARN("skipped: chroot(2) needs root");
        return;
    }
    for (unsigned seed = 1; seed <= 20; ++seed) {
        Random random(1000 + seed);
        const TempDir temp;
        temp.directory("root");
        temp.directory("host");
        make_tree(random, temp);
        const Fd root = sys::open_at(temp.fd(), "root", O_PATH | O_DIRECTORY);
        std::vector<std::string> paths;
        std::string walked;
        for (int i = 0; i < 60; ++i) {
            paths.push_back(make_path(random));
            const std::string text =
                answer(sys::walk_in_root, root.get(), paths.back(), O_PATH, Symlinks::follow);
            walked += text.substr(0, text.find(" flags")) + "\n";
        }
        INFO("seed " << seed);
        CHECK(walked == answer_of_chroot(temp, paths));
    }
}

TEST_CASE("path walk: a directory that is moved away does not lead out", "[sys]") {
    const TempDir temp;
    temp.directory("root/a/b");
    temp.directory("host/x");
    temp.file("host/secret");
    const Fd root = sys::open_at(temp.fd(), "root", O_PATH | O_DIRECTORY);
    Forked mover([&] {
        const std::string inside = temp.path("root/a/b");
        const std::string outside = temp.path("host/x/b");
        for (;;) {
            (void)::rename(inside.c_str(), outside.c_str());
            (void)::rename(outside.c_str(), inside.c_str());
        }
    });
    for (int i = 0; i < 5000; ++i) {
        Fd found;
        // From host/x/b this would be host/secret.
        CHECK(sys::walk_in_root(root.get(), "a/b/../../secret", O_PATH, Symlinks::follow, found) !=
              0);
    }
}
