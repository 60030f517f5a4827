#include "coracle/host/security_modules.h"

#include "support/catch.h"

using namespace coracle::host;

TEST_CASE("security modules: a label of AppArmor is read without its mode", "[host]") {
    CHECK(parse_apparmor_label("unconfined\n") == "unconfined");
    CHECK(parse_apparmor_label("docker-default (enforce)\n") == "docker-default");
    CHECK(parse_apparmor_label("a b (x) (complain)") == "a b (x)");
    CHECK(parse_apparmor_label("//&:ns:unconfined\n") == "//&:ns:unconfined");
    CHECK(parse_apparmor_label("").empty());
}

TEST_CASE("security modules: SELinux is known by its filesystem", "[host]") {
    CHECK(has_filesystem("nodev\tsysfs\nnodev\tselinuxfs\n\text4\n", "selinuxfs"));
    CHECK(has_filesystem("nodev\tsysfs\n\text4\n", "ext4"));
    CHECK_FALSE(has_filesystem("nodev\tsysfs\nnodev\tselinuxfs2\n", "selinuxfs"));
    CHECK_FALSE(has_filesystem("", "selinuxfs"));
}
