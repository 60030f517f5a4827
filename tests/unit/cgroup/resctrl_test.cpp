#include "coracle/cgroup/resctrl.h"

#include "support/catch.h"
#include "support/forked.h"

#include "coracle/base/error.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace coracle;
using cgroup::has_schema;
using cgroup::remove_resctrl_groups;
using cgroup::Resctrl;

namespace {

std::string read_file(const std::string& path) {
    std::ifstream file(path);
    return std::string(std::istreambuf_iterator<char>(file), {});
}

/// A directory like resctrl with the group "gold" in it. What it cannot do is to fill a new group.
class FakeResctrl {
  public:
    FakeResctrl() {
        REQUIRE(::mkdtemp(path.data()) != nullptr);
        std::filesystem::create_directories(path + "/gold/mon_groups");
        std::filesystem::create_directories(path + "/info");
        std::ofstream(path + "/info/last_cmd_status") << "mask f has non-consecutive 1-bits\n";
        std::ofstream(path + "/tasks") << "";
        std::ofstream(path + "/schemata") << "";
        std::ofstream(path + "/gold/tasks") << "";
        std::ofstream(path + "/gold/schemata") << "    MB:0= 20;1= 70\n    L3:0=00f;1=7f0\n";
    }
    FakeResctrl(const FakeResctrl&) = delete;
    FakeResctrl& operator=(const FakeResctrl&) = delete;
    FakeResctrl(FakeResctrl&&) = delete;
    FakeResctrl& operator=(FakeResctrl&&) = delete;
    ~FakeResctrl() { std::filesystem::remove_all(path); }

    [[nodiscard]] plan::ResctrlPlan group(const std::string& name) const {
        plan::ResctrlPlan plan;
        plan.mount_point = path;
        plan.group = name;
        return plan;
    }
    std::string path = "/tmp/coracle-resctrl-XXXXXX";
};

std::string error_of(const plan::ResctrlPlan& plan) {
    try {
        Resctrl resctrl;
        resctrl.apply(plan, 7);
        return "applied";
    } catch (const Error& error) {
        return error.text();
    }
}

} // namespace

TEST_CASE("resctrl: a schema is compared by its numbers", "[resctrl]") {
    const std::string text = "    MB:0= 20;1= 70\n    L3:0=00f;1=7f0\nL2:0=0\n";
    for (const char* there :
         {"L3:0=f", "L3:0=0f;1=7f0", "L3:1=7F0", "MB:0=20;1=70", "MB: 1 = 70", "L2:0=00"}) {
        INFO(there);
        CHECK(has_schema(text, there));
    }
    for (const char* other :
         {"L3:0=ff", "L3:2=f", "L3CODE:0=f", "MB:0=30", "L2:0=1", "", "X:0=1"}) {
        INFO(other);
        CHECK_FALSE(has_schema(text, other));
    }
}

TEST_CASE("resctrl: a group that is there is joined and kept", "[resctrl]") {
    FakeResctrl fake;
    {
        Resctrl resctrl;
        resctrl.apply(fake.group("gold"), 4711);
    }
    CHECK(read_file(fake.path + "/gold/tasks") == "4711\n");
    CHECK(std::filesystem::exists(fake.path + "/gold"));
}

TEST_CASE("resctrl: the root group is no directory of its own", "[resctrl]") {
    FakeResctrl fake;
    plan::ResctrlPlan plan = fake.group("");
    plan.schemata = {"MB:0=50"};
    Resctrl resctrl;
    resctrl.apply(plan, 4711);
    CHECK(read_file(fake.path + "/tasks") == "4711\n");
    CHECK(read_file(fake.path + "/schemata") == "MB:0=50\n");
}

TEST_CASE("resctrl: a group that is there must have the schema that is asked for", "[resctrl]") {
    FakeResctrl fake;
    plan::ResctrlPlan plan = fake.group("gold");
    plan.own_schemas = {"L3:0=f", "MB:0=20"};
    CHECK(error_of(plan) == "applied");
    plan.own_schemas = {"L3:0=ff"};
    CHECK(error_of(plan).find("/linux/intelRdt: the group " + fake.path +
                              "/gold is there with another schema than L3:0=ff") == 0);
    plan.own_schemas.clear();
    plan.schemata = {"L2:0=1"}; // this one is written
    CHECK(error_of(plan) == "applied");
    CHECK(read_file(fake.path + "/gold/schemata").find("L2:0=1\n") == 0);
}

TEST_CASE("resctrl: a closID without schema must be there", "[resctrl]") {
    FakeResctrl fake;
    CHECK(error_of(fake.group("silver")) ==
          "/linux/intelRdt/closID: " + fake.path +
              "/silver: no such file or directory (a closID without a schema names a group that is "
              "there already)");
    CHECK_FALSE(std::filesystem::exists(fake.path + "/silver"));
}

TEST_CASE("resctrl: a group of the container's own must be new, and goes if it cannot be used",
          "[resctrl]") {
    FakeResctrl fake;
    plan::ResctrlPlan plan = fake.group("gold");
    plan.owned = true;
    CHECK(error_of(plan).find("file exists (another container or the host uses it)") !=
          std::string::npos);
    CHECK(std::filesystem::exists(fake.path + "/gold"));
    plan.group = "c1";
    plan.own_schemas = {"L3:0=5"};
    const std::string text = error_of(plan); // a plain directory has no schemata
    CHECK(text.find("/linux/intelRdt: write L3:0=5 to " + fake.path + "/c1/schemata: ") == 0);
    CHECK(text.find("(mask f has non-consecutive 1-bits)") != std::string::npos);
    CHECK_FALSE(std::filesystem::exists(fake.path + "/c1"));
}

TEST_CASE("resctrl: groups are removed, and missing ones are no error", "[resctrl]") {
    FakeResctrl fake;
    std::filesystem::create_directories(fake.path + "/c1/mon_groups");
    CHECK_NOTHROW(remove_resctrl_groups(fake.path, {"c1/mon_groups", "c1", "c2"}));
    CHECK_FALSE(std::filesystem::exists(fake.path + "/c1"));
    CHECK_NOTHROW(remove_resctrl_groups("", {"c1"}));
    CHECK_THROWS_AS(remove_resctrl_groups(fake.path, {"gold"}), Error); // not empty
}

/// A hierarchy of control groups version 1 fills a new directory with a file tasks, as resctrl
/// does.
TEST_CASE("resctrl: a process is in the group that was made for it", "[resctrl]") {
    const std::string seen = test::run_forked([]() -> std::string {
        std::string place = "/tmp/coracle-tasks-XXXXXX";
        if (::geteuid() != 0 || ::mkdtemp(place.data()) == nullptr || ::unshare(CLONE_NEWNS) != 0 ||
            ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
            ::mount("none", place.c_str(), "cgroup", 0, "none,name=coracle-test") != 0) {
            return "no such file system here";
        }
        pid_t child = ::fork();
        if (child == 0) {
            (void)::pause();
            ::_exit(0);
        }
        plan::ResctrlPlan plan;
        plan.mount_point = place;
        plan.group = "c1";
        plan.owned = true;
        std::string tasks;
        {
            Resctrl resctrl;
            resctrl.apply(plan, child);
            tasks = read_file(place + "/c1/tasks");
            resctrl.keep();
        }
        bool kept = std::filesystem::exists(place + "/c1");
        (void)::kill(child, SIGKILL);
        (void)::waitpid(child, nullptr, 0);
        remove_resctrl_groups(place, {"c1"});
        bool gone = !std::filesystem::exists(place + "/c1");
        (void)::umount2(place.c_str(), MNT_DETACH);
        (void)::rmdir(place.c_str());
        return tasks == std::to_string(child) + "\n" && kept && gone ? "as wanted"
                                                                     : "else " + tasks;
    });
    if (seen == "no such file system here") {
        WARN("skipped: " << seen);
        return;
    }
    CHECK(seen == "as wanted");
}
