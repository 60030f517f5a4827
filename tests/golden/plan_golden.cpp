#include "support/catch.h"

#include "coracle/base/error.h"
#include "coracle/spec/validate.h"
#include "golden/golden_paths.h"
#include "unit/plan/plan_support.h"

#include <cstdlib>
#include <fstream>
#include <functional>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

/// What `--dry-run` prints, recorded: a change of a decision is a change of one of these files.
/// CORACLE_UPDATE_GOLDEN=1 writes them anew.

using namespace coracle;
using namespace coracle::test;

namespace {

struct Machine {
    const char* name;
    host::Facts facts;
};

std::vector<Machine> machines() {
    return {{"rootful", with_systemd(rootful())},
            {"rootless_bare", rootless_bare()},
            {"rootless_subid", with_systemd(rootless_subid())},
            {"root_in_userns", with_cgroupfs(root_in_userns())}};
}

std::string read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        return {};
    }
    return std::string(std::istreambuf_iterator<char>(file), {});
}

std::string file_config(const std::string& path) {
    const std::string text = read_file(path);
    INFO(path);
    REQUIRE_FALSE(text.empty());
    return text;
}

std::string template_text(const host::Facts& facts, bool rootless) {
    spec::TemplateOptions choice;
    choice.rootless = rootless;
    choice.host_uid = facts.euid;
    choice.host_gid = facts.egid;
    return spec::write_template(choice);
}

const char* name_of(ErrorKind kind) {
    switch (kind) {
    case ErrorKind::invalid_config:
        return "invalid_config";
    case ErrorKind::unsupported:
        return "unsupported";
    case ErrorKind::denied:
        return "denied";
    case ErrorKind::usage:
    case ErrorKind::not_found:
    case ErrorKind::wrong_state:
    case ErrorKind::system:
    case ErrorKind::not_executable:
    case ErrorKind::internal:
        break;
    }
    return "unexpected kind of error";
}

/// The plan of a `run` that stays, or why there is none. resctrl is mounted on every machine, and
/// that of a plain user has Debian 12's kernel.
std::string describe_case(const std::string& config_text, host::Facts facts) {
    facts.resctrl = "/sys/fs/resctrl";
    facts.landlock.abi = facts.privileged ? 7 : 2;
    plan::LaunchOptions run = options();
    run.attended = true;
    spec::Config config = spec::parse_config(config_text);
    spec::validate(config);
    try {
        return plan::describe(plan::make_launch_plan(config, facts, run));
    } catch (const Error& error) {
        return std::string("refused (") + name_of(error.kind()) + "): " + error.text() + "\n";
    }
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) {
        lines.push_back(line);
    }
    return lines;
}

/// The first line that differs, with what is around it; "" if none does.
std::string first_difference(const std::string& recorded, const std::string& current) {
    if (recorded == current) {
        return {};
    }
    const std::vector<std::string> old_lines = lines_of(recorded);
    const std::vector<std::string> new_lines = lines_of(current);
    std::size_t at = 0;
    while (at < old_lines.size() && at < new_lines.size() && old_lines[at] == new_lines[at]) {
        ++at;
    }
    constexpr std::size_t context = 3;
    std::ostringstream text;
    text << "line " << at + 1 << ":\n";
    for (std::size_t i = at > context ? at - context : 0; i < at; ++i) {
        text << "      " << old_lines[i] << "\n";
    }
    text << "    - " << (at < old_lines.size() ? old_lines[at] : "(the end)") << "\n";
    text << "    + " << (at < new_lines.size() ? new_lines[at] : "(the end)") << "\n";
    for (std::size_t i = at + 1; i < at + 1 + context && i < new_lines.size(); ++i) {
        text << "      " << new_lines[i] << "\n";
    }
    return text.str();
}

bool updates() {
    const char* value = std::getenv("CORACLE_UPDATE_GOLDEN");
    return value != nullptr && std::string(value) == "1";
}

void check_golden(const std::string& name, const std::string& current) {
    const std::string path = std::string(golden_directory) + "/" + name + ".txt";
    if (updates()) {
        std::ofstream(path, std::ios::binary) << current;
        return;
    }
    const std::string difference = first_difference(read_file(path), current);
    if (!difference.empty()) {
        FAIL_CHECK("tests/golden/" << name << ".txt differs (- recorded, + now) at " << difference
                                   << "If that is meant: CORACLE_UPDATE_GOLDEN=1 and look at "
                                      "the diff");
    }
}

/// One config on each machine.
void check_machines(const std::string& config,
                    const std::function<std::string(const host::Facts&)>& make_config) {
    for (const Machine& machine : machines()) {
        check_golden(config + "." + machine.name,
                     describe_case(make_config(machine.facts), machine.facts));
    }
}

} // namespace

TEST_CASE("golden: the template of spec", "[golden]") {
    check_machines("template",
                   [](const host::Facts& facts) { return template_text(facts, false); });
}

TEST_CASE("golden: the template of spec --rootless", "[golden]") {
    check_machines("template-rootless",
                   [](const host::Facts& facts) { return template_text(facts, true); });
}

TEST_CASE("golden: what podman writes", "[golden]") {
    check_machines("podman", [](const host::Facts&) {
        return file_config(std::string(golden_data_directory) + "/config-podman.json");
    });
}

TEST_CASE("golden: a config with something of everything", "[golden]") {
    check_machines("full", [](const host::Facts&) {
        return file_config(std::string(golden_directory) + "/configs/full.json");
    });
}

TEST_CASE("golden: what of the host becomes the container's", "[golden]") {
    check_machines("host-resources", [](const host::Facts&) {
        return file_config(std::string(golden_directory) + "/configs/host-resources.json");
    });
}

TEST_CASE("golden: scheduling and memory", "[golden]") {
    check_machines("attributes", [](const host::Facts&) {
        return file_config(std::string(golden_directory) + "/configs/attributes.json");
    });
}

TEST_CASE("golden: every limit", "[golden]") {
    check_machines("limits", [](const host::Facts&) {
        return file_config(std::string(golden_directory) + "/configs/limits.json");
    });
}

TEST_CASE("golden: the host's network, and its /dev", "[golden]") {
    check_machines("host-network", [](const host::Facts&) {
        return file_config(std::string(golden_directory) + "/configs/host-network.json");
    });
}

TEST_CASE("golden: without a user namespace", "[golden]") {
    check_machines("no-userns", [](const host::Facts&) {
        return file_config(std::string(golden_directory) + "/configs/no-userns.json");
    });
}

TEST_CASE("golden: mounts of every kind", "[golden]") {
    check_machines("mounts", [](const host::Facts&) {
        return file_config(std::string(golden_directory) + "/configs/mounts.json");
    });
}

TEST_CASE("golden: hooks of every kind", "[golden]") {
    check_machines("hooks", [](const host::Facts&) {
        return file_config(std::string(golden_directory) + "/configs/hooks.json");
    });
}

TEST_CASE("golden: walls of every kind", "[golden]") {
    check_machines("walls", [](const host::Facts&) {
        return file_config(std::string(golden_directory) + "/configs/walls.json");
    });
}

TEST_CASE("golden: the first difference is shown with what is around it", "[golden]") {
    CHECK(first_difference("a\nb\n", "a\nb\n").empty());
    CHECK(first_difference("a\nb\nc\n", "a\nx\nc\n") ==
          "line 2:\n      a\n    - b\n    + x\n      c\n");
    CHECK(first_difference("a\n", "a\nb\n") == "line 2:\n      a\n    - (the end)\n    + b\n");
    CHECK(first_difference("a\nb\n", "a\n") == "line 2:\n      a\n    - b\n    + (the end)\n");
}
