#include "launch/mount_sources_private.h"

#include "support/catch.h"
#include "unit/sys/sys_support.h"

#include <fstream>
#include <string>

using namespace coracle;
using namespace coracle::test;

namespace {

std::string name_of_process(pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/comm");
    std::string name;
    std::getline(file, name);
    return name;
}

TEST_CASE("user namespace holder: it has a name and waits to be killed", "[launch]") {
    Forked holder([] { launch::run_user_namespace_holder(); });
    for (int round = 0; round < 10000 && name_of_process(holder.pid()) != "coracle:ids"; ++round) {
        ::usleep(1000);
    }
    CHECK(name_of_process(holder.pid()) == "coracle:ids");
    CHECK(::kill(holder.pid(), SIGUSR1) == 0); // the default action: it ends
    CHECK(WTERMSIG(holder.wait()) == SIGUSR1);
}

} // namespace
