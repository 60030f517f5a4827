#include "support/catch.h"

#include "coracle/base/error.h"
#include "coracle/host/container_facts.h"
#include "coracle/sys/file.h"

#include <fcntl.h>
#include <string>

using namespace coracle;

TEST_CASE("container facts: an id map is read line by line", "[host]") {
    using Map = std::vector<host::IdMapLine>;
    CHECK(host::parse_id_map("").empty());
    CHECK(host::parse_id_map(
              "         0       1000          1\n         1     100000      65536\n") ==
          Map{{0, 1000, 1}, {1, 100000, 65536}});
    CHECK(host::parse_id_map("0 0 4294967295\n") == Map{{0, 0, 4294967295}});
}

TEST_CASE("container facts: what is no id map is an error", "[host]") {
    for (const char* text : {"0 0\n", "0 0 1 2\n", "a 0 1\n", "0 0 4294967296\n", "-1 0 1\n"}) {
        CHECK_THROWS_AS(host::parse_id_map(text), Error);
    }
}

TEST_CASE("container facts: a process is in its own namespaces", "[host]") {
    sys::Fd proc = sys::open_at(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY);
    sys::Fd self = sys::open_at(AT_FDCWD, "/proc/self", O_PATH | O_DIRECTORY);
    host::ContainerFacts facts = host::detect_container_facts(proc.get(), self.get());
    CHECK(facts.foreign_namespaces.empty());
    CHECK(facts.uid_map.empty());
}

TEST_CASE("container facts: what has no namespaces has none that differ", "[host]") {
    sys::Fd proc = sys::open_at(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY);
    sys::Fd empty = sys::open_at(AT_FDCWD, "/proc/sys", O_PATH | O_DIRECTORY);
    CHECK(host::detect_container_facts(proc.get(), empty.get()).foreign_namespaces.empty());
}
