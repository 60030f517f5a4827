#include "spec/spec_support.h"

#include "coracle/spec/mount_options.h"

#include <algorithm>
#include <sys/mount.h>

using namespace coracle;
using spec::MountOptions;
using spec::parse_mount_options;

TEST_CASE("mount options: what podman writes for /dev and /sys", "[mount_options]") {
    const MountOptions dev = parse_mount_options({"nosuid", "strictatime", "mode=755", "size=1k"});
    CHECK(dev.set_attributes == (MOUNT_ATTR_NOSUID | MOUNT_ATTR_STRICTATIME));
    CHECK(dev.clear_attributes == MOUNT_ATTR__ATIME);
    CHECK(dev.data == std::vector<std::string>{"mode=755", "size=1k"});
    const MountOptions sys = parse_mount_options({"nosuid", "noexec", "nodev", "relatime", "ro"});
    CHECK(sys.set_attributes ==
          (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NODEV | MOUNT_ATTR_RDONLY));
    CHECK(sys.clear_attributes == MOUNT_ATTR__ATIME);
    CHECK(sys.data.empty());
}

TEST_CASE("mount options: attributes of one mount and of the tree", "[mount_options]") {
    struct Row {
        const char* word;
        const char* opposite;
        std::uint64_t attribute;
    };
    const std::vector<Row> rows{
        {"ro", "rw", MOUNT_ATTR_RDONLY},
        {"nosuid", "suid", MOUNT_ATTR_NOSUID},
        {"nodev", "dev", MOUNT_ATTR_NODEV},
        {"noexec", "exec", MOUNT_ATTR_NOEXEC},
        {"nodiratime", "diratime", MOUNT_ATTR_NODIRATIME},
        {"nosymfollow", "symfollow", MOUNT_ATTR_NOSYMFOLLOW},
    };
    for (const Row& row : rows) {
        CAPTURE(row.word);
        const std::string word = row.word;
        const std::string opposite = row.opposite;
        CHECK(parse_mount_options({word}).set_attributes == row.attribute);
        CHECK(parse_mount_options({word}).clear_attributes == 0);
        CHECK(parse_mount_options({opposite}).clear_attributes == row.attribute);
        CHECK(parse_mount_options({opposite}).set_attributes == 0);
        CHECK(parse_mount_options({word, opposite}).set_attributes == 0);
        CHECK(parse_mount_options({opposite, word}).clear_attributes == 0);
        CHECK(parse_mount_options({"r" + word}).recursive_set == row.attribute);
        CHECK(parse_mount_options({"r" + word}).set_attributes == 0);
        CHECK(parse_mount_options({"r" + opposite}).recursive_clear == row.attribute);
        CHECK(parse_mount_options({"r" + word, "r" + opposite}).recursive_set == 0);
    }
}

TEST_CASE("mount options: symbolic links at either end", "[mount_options]") {
    const MountOptions copied = parse_mount_options({"bind", "copy-symlink"});
    CHECK((copied.copy_symlink && !copied.bind_symlink && !copied.on_symlink));
    const MountOptions source = parse_mount_options({"bind,src-nofollow"});
    CHECK((!source.copy_symlink && source.bind_symlink && !source.on_symlink));
    const MountOptions destination = parse_mount_options({"bind", "dest-nofollow"});
    CHECK((!destination.copy_symlink && !destination.bind_symlink && destination.on_symlink));
    CHECK(destination.data.empty());
}

TEST_CASE("mount options: the last word wins between the tree and its top", "[mount_options]") {
    MountOptions options = parse_mount_options({"rbind", "rw", "noexec", "rro", "rexec"});
    CHECK(options.recursive_set == MOUNT_ATTR_RDONLY);
    CHECK(options.recursive_clear == MOUNT_ATTR_NOEXEC);
    CHECK(options.set_attributes == 0);
    CHECK(options.clear_attributes == 0);
    options = parse_mount_options({"rro", "rw"}); // an exception for the top
    CHECK(options.recursive_set == MOUNT_ATTR_RDONLY);
    CHECK(options.clear_attributes == MOUNT_ATTR_RDONLY);
    options = parse_mount_options({"strictatime", "rnoatime"});
    CHECK(options.set_attributes == 0);
    CHECK(options.clear_attributes == 0);
    CHECK(options.recursive_set == MOUNT_ATTR_NOATIME);
}

TEST_CASE("mount options: several words in one entry", "[mount_options]") {
    const MountOptions options = parse_mount_options(
        {"nosuid,size=1k,,mode=755", R"(context="u:o:t:s0:c1,c2",ro)", R"(lowerdir=/a\,b:/c,\)"});
    CHECK(options.set_attributes == (MOUNT_ATTR_NOSUID | MOUNT_ATTR_RDONLY));
    CHECK(options.data == std::vector<std::string>{"size=1k", "mode=755",
                                                   R"(context="u:o:t:s0:c1,c2")",
                                                   R"(lowerdir=/a\,b:/c)", "\\"});
}

TEST_CASE("mount options: access times", "[mount_options]") {
    struct Row {
        std::vector<std::string> words;
        std::uint64_t set;
        std::uint64_t clear;
    };
    const std::vector<Row> rows{
        {{"noatime"}, MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME},
        {{"strictatime"}, MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME},
        {{"relatime"}, 0, MOUNT_ATTR__ATIME},
        {{"atime"}, 0, MOUNT_ATTR__ATIME},
        {{"nostrictatime"}, 0, MOUNT_ATTR__ATIME},
        {{"norelatime"}, 0, 0},
        {{"noatime", "strictatime"}, MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME},
        {{"strictatime", "noatime"}, MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME},
        {{"strictatime", "relatime"}, 0, MOUNT_ATTR__ATIME},
        {{"noatime", "atime"}, 0, MOUNT_ATTR__ATIME},
        {{"strictatime", "atime"}, MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME},
        {{"noatime", "nostrictatime"}, MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME},
    };
    for (const Row& row : rows) {
        CAPTURE(row.words);
        const MountOptions options = parse_mount_options(row.words);
        CHECK(options.set_attributes == row.set);
        CHECK(options.clear_attributes == row.clear);
        std::vector<std::string> recursive;
        for (const std::string& word : row.words) {
            recursive.push_back("r" + word);
        }
        CHECK(parse_mount_options(recursive).recursive_set == row.set);
        CHECK(parse_mount_options(recursive).recursive_clear == row.clear);
    }
}

TEST_CASE("mount options: superblock flags", "[mount_options]") {
    CHECK(parse_mount_options({"sync", "dirsync", "lazytime", "iversion", "mand", "silent"})
              .superblock_flags ==
          (MS_SYNCHRONOUS | MS_DIRSYNC | MS_LAZYTIME | MS_I_VERSION | MS_MANDLOCK));
    const MountOptions cleared = parse_mount_options(
        {"sync", "async", "lazytime", "nolazytime", "iversion", "noiversion", "mand", "nomand"});
    CHECK(cleared.superblock_flags == 0);
    CHECK(cleared.superblock_clear == (MS_SYNCHRONOUS | MS_LAZYTIME | MS_I_VERSION | MS_MANDLOCK));
    CHECK(parse_mount_options({"async", "sync"}).superblock_clear == 0);
    CHECK(parse_mount_options({"remount"}).remount);
    CHECK_FALSE(parse_mount_options({"ro"}).remount);
}

TEST_CASE("mount options: bind and propagation", "[mount_options]") {
    const MountOptions rbind = parse_mount_options({"rbind", "rprivate"});
    CHECK(rbind.bind);
    CHECK(rbind.recursive_bind);
    CHECK(rbind.propagation == MS_PRIVATE);
    CHECK(rbind.propagation_recursive);
    const MountOptions bind = parse_mount_options({"bind", "rshared", "slave"});
    CHECK(bind.bind);
    CHECK_FALSE(bind.recursive_bind);
    CHECK(bind.propagation == MS_SLAVE);
    CHECK_FALSE(bind.propagation_recursive);
    CHECK(parse_mount_options({"rbind", "bind"}).recursive_bind);
    CHECK(parse_mount_options({"unbindable"}).propagation == MS_UNBINDABLE);
    CHECK(parse_mount_options({"shared"}).propagation == MS_SHARED);
    CHECK(parse_mount_options({}).propagation == 0);
    CHECK_FALSE(parse_mount_options({}).bind);
}

TEST_CASE("mount options: the rest", "[mount_options]") {
    CHECK(parse_mount_options({"tmpcopyup"}).copy_up);
    CHECK(parse_mount_options({"idmap"}).id_map == "idmap");
    CHECK(parse_mount_options({"idmap", "ridmap"}).id_map == "ridmap");
    const MountOptions plain = parse_mount_options({"defaults", "", "newinstance", "RO"});
    CHECK(plain.set_attributes == 0);
    CHECK(plain.clear_attributes == 0);
    CHECK(plain.data == std::vector<std::string>{"newinstance", "RO"});
}

TEST_CASE("mount options: the list for features is sorted and known", "[mount_options]") {
    const std::vector<std::string_view> words = spec::known_mount_options();
    CHECK(std::is_sorted(words.begin(), words.end()));
    CHECK(std::adjacent_find(words.begin(), words.end()) == words.end());
    CHECK(words.size() == 65);
    for (const std::string_view word : words) {
        CAPTURE(word);
        CHECK(parse_mount_options({std::string(word)}).data.empty());
    }
    CHECK(std::binary_search(words.begin(), words.end(), "rro"));
}
