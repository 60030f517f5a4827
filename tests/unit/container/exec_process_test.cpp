#include "support/catch.h"

#include "container/exec_process_private.h"
#include "coracle/base/error.h"

#include <string>
#include <vector>

using namespace coracle;
using container::ExecOptions;
using container::make_exec_process;

namespace {

spec::Process of_container() {
    spec::Process process;
    process.args = {"init"};
    process.cwd = "/w";
    process.env = {"A=1", "AB=2", "A=3"};
    process.terminal = true;
    process.user.uid = 1;
    process.user.gid = 2;
    process.user.additional_gids = {3};
    return process;
}

ExecOptions command(std::vector<std::string> args) {
    ExecOptions options;
    options.args = std::move(args);
    return options;
}

ErrorKind kind_of(const ExecOptions& options) {
    try {
        (void)make_exec_process(of_container(), options);
    } catch (const Error& error) { // catch: what is asked for
        return error.kind();
    }
    return ErrorKind::internal;
}

} // namespace

TEST_CASE("exec process: the container's, with another program and no terminal", "[container]") {
    spec::Process process = make_exec_process(of_container(), command({"ls", "-l"}));
    CHECK(process.args == std::vector<std::string>{"ls", "-l"});
    CHECK(process.cwd == "/w");
    CHECK(process.env == std::vector<std::string>{"A=1", "AB=2", "A=3"});
    CHECK_FALSE(process.terminal);
    CHECK(process.user.uid == 1);
    CHECK_FALSE(process.capabilities);
}

TEST_CASE("exec process: options change it", "[container]") {
    ExecOptions options = command({"x"});
    options.cwd = "/y";
    options.env = {"A=9", "N=", "N=7"};
    options.uid = 10;
    options.additional_gids = {4};
    options.terminal = true;
    options.no_new_privileges = true;
    spec::Process process = make_exec_process(of_container(), options);
    CHECK(process.cwd == "/y");
    CHECK(process.env == std::vector<std::string>{"AB=2", "A=9", "N=7"});
    CHECK(process.user.uid == 10);
    CHECK(process.user.gid == 2);
    CHECK(process.user.additional_gids == std::vector<std::uint32_t>{3, 4});
    CHECK(process.terminal);
    CHECK(process.no_new_privileges);
}

TEST_CASE("exec process: a capability goes to three sets", "[container]") {
    ExecOptions options = command({"x"});
    options.capabilities = {"CAP_CHOWN"};
    spec::Process process = make_exec_process(of_container(), options);
    REQUIRE(process.capabilities);
    CHECK(process.capabilities->bounding == options.capabilities);
    CHECK(process.capabilities->permitted == options.capabilities);
    CHECK(process.capabilities->effective == options.capabilities);
    CHECK(process.capabilities->inheritable.empty());
    CHECK(process.capabilities->ambient.empty());
}

TEST_CASE("exec process: a container without a process has the root for a directory",
          "[container]") {
    CHECK(make_exec_process(std::nullopt, command({"x"})).cwd == "/");
}

TEST_CASE("exec process: what cannot be is refused", "[container]") {
    CHECK(kind_of(command({})) == ErrorKind::usage);
    ExecOptions both = command({"x"});
    both.process_file = "/dev/null";
    CHECK(kind_of(both) == ErrorKind::usage);
    for (const char* entry : {"", "=", "=v", "NAME"}) {
        ExecOptions options = command({"x"});
        options.env = {entry};
        CHECK(kind_of(options) == ErrorKind::usage);
    }
    ExecOptions relative = command({"x"});
    relative.cwd = "y";
    CHECK(kind_of(relative) == ErrorKind::invalid_config);
    ExecOptions missing;
    missing.process_file = "/no/such/file";
    CHECK(kind_of(missing) == ErrorKind::system);
    ExecOptions empty;
    empty.process_file = "/dev/null";
    CHECK(kind_of(empty) == ErrorKind::invalid_config);
    CHECK(kind_of(command({""})) == ErrorKind::invalid_config);
}
