#include "spec/spec_support.h"

#include "coracle/spec/landlock.h"

#include <utility>

using namespace coracle;
using spec::LandlockAccess;
using spec::parse_landlock;

namespace {

std::string error_of(const std::string& text) {
    try {
        (void)parse_landlock(text);
    } catch (const Error& error) {
        CHECK(error.kind() == ErrorKind::invalid_config);
        return error.text();
    }
    return "taken";
}

} // namespace

TEST_CASE("landlock: what is asked for is read", "[landlock]") {
    const spec::Landlock all = parse_landlock(
        R"({"fs": [{"path": "/", "access": "ro"}, {"access": "rw", "path": "/tmp"},
                   {"path": "/etc/x", "access": "read"}],
            "net": {"bind": [80, 0], "connect": [65535]},
            "scope": ["signal", "abstract-unix-socket"]})");
    REQUIRE(all.fs.value().size() == 3);
    CHECK(all.fs->at(0).path == "/");
    CHECK(all.fs->at(0).access == LandlockAccess::read_execute);
    CHECK(all.fs->at(1).access == LandlockAccess::all);
    CHECK(all.fs->at(2).access == LandlockAccess::read);
    CHECK(all.net.value().bind == std::vector<std::uint16_t>{80, 0});
    CHECK(all.net->connect == std::vector<std::uint16_t>{65535});
    CHECK(all.scope_signal);
    CHECK(all.scope_abstract_unix_socket);
}

TEST_CASE("landlock: what is absent restricts nothing, what is empty everything", "[landlock]") {
    const spec::Landlock scope = parse_landlock(R"({"scope": ["signal"]})");
    CHECK_FALSE(scope.fs);
    CHECK_FALSE(scope.net);
    CHECK(scope.scope_signal);
    CHECK_FALSE(scope.scope_abstract_unix_socket);
    const spec::Landlock none = parse_landlock(R"({"fs": [], "net": {}})");
    CHECK(none.fs.value().empty());
    CHECK(none.net.value().connect.empty());
}

TEST_CASE("landlock: everything else is refused, naming the key", "[landlock]") {
    const std::string start = "/annotations/org.coracle.landlock: ";
    for (const auto& [text, why] : std::vector<std::pair<const char*, const char*>>{
             {R"({"fs": [{"path": "tmp", "access": "ro"}]})",
              "/fs/0/path: tmp is not an absolute path"},
             {R"({"fs": [{"path": "", "access": "ro"}]})", "/fs/0/path:  is not an absolute path"},
             {R"({"fs": [{"path": "/"}]})", "/fs/0: the member \"access\" is missing"},
             {R"({"fs": [{"access": "ro"}]})", "/fs/0: the member \"path\" is missing"},
             {R"({"fs": [{"path": "/", "access": "wr"}]})", "/fs/0/access: must be \"read\","},
             {R"({"fs": [{"path": "/", "access": 1}]})", "/fs/0/access: must be a string"},
             {R"({"fs": [{"path": "/", "access": "ro", "x": 1}]})", "/fs/0/x: is not known here"},
             {R"({"fs": {"/": "ro"}})", "/fs: must be an array"},
             {R"({"fs": [{"path": "/a\u0000", "access": "ro"}]})", ""},
             {R"({"net": {"bind": [65536]}})", "/net/bind/0: must be a port"},
             {R"({"net": {"bind": [-1]}})", "/net/bind/0: must be an integer"},
             {R"({"net": {"bind": ["80"]}})", "/net/bind/0: must be an integer"},
             {R"({"net": {"udp": [1]}})", "/net/udp: is not known here"},
             {R"({"net": [80]})", "/net: must be an object"},
             {R"({"scope": ["signals"]})", "/scope/0: must be \"abstract-unix-socket\""},
             {R"({"scope": "signal"})", "/scope: must be an array"},
             {R"({"ports": []})", "/ports: is not known here"},
             {R"({"net": {}, "net": {}})", ""},
             {"{}", "the document restricts nothing"},
             {R"({"scope": []})", "the document restricts nothing"},
             {"[]", "the document must be an object"},
             {"", ""},
             {"ro", ""},
         }) {
        INFO(text);
        const std::string error = error_of(text);
        INFO(error);
        CHECK(error.rfind(start + why, 0) == 0);
    }
}
