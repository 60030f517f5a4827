#include "sandbox/profile_private.h"
#include "sandbox/settings_private.h"
#include "support/catch.h"

using namespace coracle;

namespace {

std::vector<std::string> problems_of(const std::string& text) {
    std::vector<std::string> problems;
    (void)sandbox::parse_profile(text, "p.yaml", "/dir", problems);
    return problems;
}

sandbox::Statements statements_of(const std::string& text) {
    std::vector<std::string> problems;
    sandbox::Statements statements =
        sandbox::parse_profile(text, "p.yaml", "/dir", problems).statements;
    CHECK(problems == std::vector<std::string>());
    return statements;
}

std::vector<std::string> values(const sandbox::Statements& statements, const std::string& name) {
    std::vector<std::string> result;
    for (const sandbox::Said& said : statements.values[sandbox::setting_index(name)]) {
        result.push_back(said.value);
    }
    return result;
}

using Words = std::vector<std::string>;

sandbox::Origin origin() {
    return {"/srv", "/home/u"};
}

} // namespace

TEST_CASE("profile: every setting of the table is a key", "[sandbox]") {
    for (const sandbox::Setting& setting : sandbox::settings()) {
        INFO(setting.name);
        const bool flag = setting.kind == sandbox::SettingKind::flag;
        sandbox::Statements said =
            statements_of(std::string(setting.name) + ": " + (flag ? "true" : "/x=/1"));
        CHECK(values(said, setting.name) == Words{flag ? "true" : "/x=/1"});
    }
}

TEST_CASE("profile: what is wrong is named with its place", "[sandbox]") {
    struct Case {
        std::string text;
        const char* place;
        const char* word;
    };
    const Case cases[] = {
        {"memroy: 1G", "p.yaml:1:1:", "did you mean memory?"},
        {"tty: yes", "p.yaml:1:6:", "true or false"},
        {"tty: 'true'", "p.yaml:1:6:", "true or false"},
        {"memory: [1G]", "p.yaml:1:9:", "one value"},
        {"env: {A: b}", "p.yaml:1:6:", "map"},
        {"ro: ~", "p.yaml:1:5:", "home directory"},
        {"\nro:\n  - [a]", "p.yaml:3:5:", "it is a list"},
        {"ro: a\nro: b", "p.yaml:2:1:", "above"},
        {"ro: &x a", "p.yaml:1:5:", "anchor"},
        {"ro: *x", "p.yaml:1:5:", ""},
        {"ro: !!str a", "p.yaml:1:5:", "tag"},
        {"ro: a\n---\nro: b\n", "p.yaml:2:1:", "more than one document"},
        {"ro: [[[[a]]]]", "p.yaml:1:8:", "deeply"},
        {"ro: \"a\\0\"", "p.yaml:1:5:", "NUL"},
        {std::string("ro: a\0b", 7), "p.yaml:1:6:", "NUL"},
        {"ro: a\n  \xff", "p.yaml:2:3:", "UTF-8"},
        {"ro: [a", "p.yaml:1:1:", "not YAML"},
        {"- a", "p.yaml:1:1:", "a map of settings"},
        {"[a]: b", "p.yaml:1:1:", "name of a setting"},
        {"reset: envv", "p.yaml:1:8:", "did you mean env?"},
        {std::string(70000, '#'), "p.yaml:1:1:", "65536 bytes"},
    };
    for (const Case& one : cases) {
        INFO(one.text.substr(0, 40));
        const Words problems = problems_of(one.text);
        REQUIRE(problems.size() == 1);
        INFO(problems.front());
        CHECK(problems.front().starts_with(one.place));
        CHECK(problems.front().find(one.word) != std::string::npos);
    }
}

TEST_CASE("profile: all problems are told, in their order", "[sandbox]") {
    const Words problems = problems_of("a1: b\ntty: 3\nextends: [[x]]\n");
    REQUIRE(problems.size() == 3);
    CHECK(problems[1].starts_with("p.yaml:2:6:"));
}

TEST_CASE("profile: nothing is said by an empty one", "[sandbox]") {
    for (const char* text : {"", "# a comment\n", "---\n", "ro: []"}) {
        CHECK(values(statements_of(text), "ro").empty());
    }
}

TEST_CASE("profile: relative paths are below its directory", "[sandbox]") {
    const sandbox::Statements said = statements_of(
        "ro: [a, ./b:/c, ~/d, $PWD/e, '~', /f, ../g]\ntmpfs: t:1M\nsymlink: to/it:at\n"
        "file: x=y=z\nsecret: [s=file, t=fd:3, u=credential:v]\n"
        "seccomp: [./f.json]\nchdir: w\n");
    CHECK(values(said, "ro") == Words{"/dir/a", "/dir/b:/c", "~/d", "$PWD/e", "~", "/f", "/g"});
    CHECK(values(said, "tmpfs") == Words{"/dir/t:1M"});
    CHECK(values(said, "symlink") == Words{"to/it:/dir/at"});
    CHECK(values(said, "file") == Words{"/dir/x=y=z"});
    CHECK(values(said, "secret") == Words{"s=/dir/file", "t=fd:3", "u=credential:v"});
    CHECK(values(said, "seccomp") == Words{"/dir/f.json"});
    CHECK(values(said, "chdir") == Words{"/dir/w"});
    CHECK(values(statements_of("seccomp: default,+@mount"), "seccomp") == Words{"default,+@mount"});
}

TEST_CASE("profile: a directory that divides the value is refused", "[sandbox]") {
    std::vector<std::string> problems;
    (void)sandbox::parse_profile("ro: a\nhide: b", "p.yaml", "/x:y", problems);
    REQUIRE(problems.size() == 1);
    CHECK(problems.front().starts_with("p.yaml:1:5: ro: /x:y/a: "));
}

TEST_CASE("profile: one over the other", "[sandbox]") {
    sandbox::Statements below =
        statements_of("ro: [/a, /b]\nhide: /c\nmemory: 1G\nenv: A=1\ntty: true\npids: 3");
    lay_over(below, statements_of("reset: [env, pids]\nrw: /b\ntmpfs: /c\nmemory: 2G\ntty: false"),
             origin());
    CHECK(values(below, "ro") == Words{"/a"});
    CHECK(values(below, "rw") == Words{"/b"});
    CHECK(values(below, "hide").empty());
    CHECK(values(below, "memory") == Words{"2G"});
    CHECK(values(below, "env").empty());
    CHECK(values(below, "tty") == Words{"false"});
    CHECK(values(below, "pids").empty());
}

TEST_CASE("profile: a place is the same however it is written", "[sandbox]") {
    sandbox::Statements below = statements_of("ro: ['~/x', '/y:/z', /srv/d]");
    lay_over(below, statements_of("tmpfs: /home/u/x/\ndir: /z/.\nfile: $PWD/d=text"), origin());
    CHECK(values(below, "ro").empty());
}
