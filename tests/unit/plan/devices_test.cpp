#include "support/catch.h"

#include "unit/plan/plan_support.h"

#include <algorithm>
#include <string>
#include <sys/stat.h>
#include <vector>

using namespace coracle;
using namespace coracle::test;
using plan::DeviceMethod;
using plan::DeviceStep;

namespace {

spec::Device device_of(const std::string& path, const std::string& type) {
    spec::Device device;
    device.path = path;
    device.type = type;
    device.major = 10;
    device.minor = 229;
    return device;
}

const DeviceStep& find(const plan::RootfsPlan& rootfs, const std::string& path) {
    auto found = std::find_if(rootfs.devices.begin(), rootfs.devices.end(),
                              [&](const DeviceStep& step) { return step.path == path; });
    REQUIRE(found != rootfs.devices.end());
    return *found;
}

std::string paths_of(const plan::RootfsPlan& rootfs) {
    std::string text;
    for (const DeviceStep& step : rootfs.devices) {
        text += step.path + " ";
    }
    return text;
}

constexpr const char* defaults = "/dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty ";

} // namespace

TEST_CASE("plan devices: the default ones and links, made or bound by privilege", "[plan]") {
    const plan::RootfsPlan made = small_case(rootful()).plan().init.rootfs;
    CHECK(paths_of(made) == defaults);
    for (const DeviceStep& step : made.devices) {
        INFO(step.path);
        CHECK(step.method == DeviceMethod::make_node);
        CHECK(step.mode == (S_IFCHR | 0666U));
        CHECK_FALSE(step.from_config);
    }
    CHECK(find(made, "/dev/tty").major == 5);
    CHECK(find(made, "/dev/urandom").minor == 9);
    REQUIRE(made.symlinks.size() == 5);
    CHECK(made.symlinks[4].path == "/dev/ptmx");
    CHECK(made.symlinks[4].target == "pts/ptmx");

    for (const host::Facts& facts : {rootless_bare(), root_in_userns()}) {
        for (const DeviceStep& step : small_case(facts).plan().init.rootfs.devices) {
            INFO(step.path);
            CHECK(step.method == DeviceMethod::bind_from_host);
        }
    }
    // Real root with a new user namespace cannot make nodes either.
    Case c = small_case(rootful());
    c.linux_().namespaces.push_back({"user", ""});
    c.linux_().uid_mappings = {{0, 100000, 65536}};
    c.linux_().gid_mappings = {{0, 100000, 65536}};
    CHECK(c.plan().init.rootfs.devices[0].method == DeviceMethod::bind_from_host);
}

TEST_CASE("plan devices: nothing is put into a /dev that is bound", "[plan]") {
    Case c = small_case();
    spec::Mount dev;
    dev.destination = "/dev/";
    dev.type = "bind";
    dev.source = "/dev";
    c.config.mounts = {dev};
    CHECK(c.plan().init.rootfs.devices.empty());
    CHECK(c.plan().init.rootfs.symlinks.empty());
    c.linux_().devices = {device_of("/dev/fuse", "c")}; // but what the config names
    CHECK(paths_of(c.plan().init.rootfs) == "/dev/fuse ");
    c.config.mounts[0].type = "tmpfs";
    CHECK(paths_of(c.plan().init.rootfs) == std::string(defaults) + "/dev/fuse ");
}

TEST_CASE("plan devices: type, mode, owner and number of the config", "[plan]") {
    Case c = small_case();
    c.linux_().devices = {device_of("/dev/a", "c"), device_of("/dev/b", "b"),
                          device_of("/dev/p", "p"), device_of("/dev/../dev//u", "u")};
    c.linux_().devices[0].file_mode = 020660 | 07000;
    c.linux_().devices[0].uid = 7;
    c.linux_().devices[0].gid = 8;
    c.linux_().devices[1].major = 4294967295;
    const plan::RootfsPlan rootfs = c.plan().init.rootfs;
    const DeviceStep& a = find(rootfs, "/dev/a");
    CHECK(a.mode == (S_IFCHR | 07660U)); // the type bits are the type's alone
    CHECK(a.uid == 7);
    CHECK(a.gid == 8);
    CHECK(a.major == 10);
    CHECK(a.minor == 229);
    CHECK(a.from_config);
    CHECK(find(rootfs, "/dev/b").mode == (S_IFBLK | 0666U));
    CHECK(find(rootfs, "/dev/b").major == 4294967295U);
    CHECK(find(rootfs, "/dev/p").mode == (S_IFIFO | 0666U));
    CHECK(find(rootfs, "/dev/u").mode == (S_IFCHR | 0666U));
}

TEST_CASE("plan devices: a FIFO needs no privilege to be made", "[plan]") {
    Case c = small_case(rootless_bare());
    c.linux_().devices = {device_of("/dev/p", "p"), device_of("/dev/fuse", "c")};
    CHECK(find(c.plan().init.rootfs, "/dev/p").method == DeviceMethod::make_node);
    CHECK(find(c.plan().init.rootfs, "/dev/fuse").method == DeviceMethod::bind_from_host);
}

TEST_CASE("plan devices: one of the config takes the place of a default one", "[plan]") {
    Case c = small_case();
    c.linux_().devices = {device_of("/dev/./null", "c"), device_of("/dev/ptmx", "c")};
    c.linux_().devices[0].minor = 3;
    c.linux_().devices[0].major = 1;
    c.linux_().devices[0].file_mode = 0600;
    const plan::RootfsPlan rootfs = c.plan().init.rootfs;
    CHECK(paths_of(rootfs) == defaults); // no ptmx: it is the container's own devpts
    CHECK(find(rootfs, "/dev/null").mode == (S_IFCHR | 0600U));
    CHECK(find(rootfs, "/dev/null").from_config);
    // The later of two with one path.
    c.linux_().devices = {device_of("/dev/x", "c"), device_of("/dev/x", "b")};
    CHECK(paths_of(c.plan().init.rootfs) == std::string(defaults) + "/dev/x ");
    CHECK(S_ISBLK(find(c.plan().init.rootfs, "/dev/x").mode));
}
