#include "spec/spec_support.h"

#include "coracle/spec/config_json.h"
#include "coracle/spec/documents.h"
#include "coracle/spec/validate.h"
#include "spec/json_private.h"

using namespace coracle;
using namespace spec_test;
using spec::ContainerView;
using spec::json::Document;

namespace {

ContainerView sample() {
    ContainerView view;
    view.oci_version = "1.3.0";
    view.id = "c1";
    view.pid = 1234;
    view.status = "running";
    view.bundle = "/abs";
    view.rootfs = "/abs/rootfs";
    view.created = "2026-01-02T03:04:05.123456789Z";
    view.owner = "me";
    return view;
}

} // namespace

TEST_CASE("state: two blanks, a newline at the end, nothing empty but owner", "[documents]") {
    ContainerView view = sample();
    CHECK(spec::write_state(view) == R"({
  "ociVersion": "1.3.0",
  "id": "c1",
  "pid": 1234,
  "status": "running",
  "bundle": "/abs",
  "rootfs": "/abs/rootfs",
  "created": "2026-01-02T03:04:05.123456789Z",
  "owner": "me"
}
)");
    view.annotations = {{"k", "v\""}};
    view.degradations = {"no limits"};
    CHECK(holds(spec::write_state(view), R"(
  "annotations": {
    "k": "v\""
  },
  "owner": "me",
  "degradations": [
    "no limits"
  ]
}
)"));
}

TEST_CASE("list: one compact line", "[documents]") {
    CHECK(spec::write_list({}) == "[]\n");
    ContainerView other = sample();
    other.id = "c2";
    other.pid = 0;
    const std::string text = spec::write_list({sample(), other});
    CHECK(text.find('\n') == text.size() - 1);
    CHECK(text.find("[{\"ociVersion\":\"1.3.0\",\"id\":\"c1\",\"pid\":1234,") == 0);
    CHECK(holds(text, "},{\"ociVersion\":\"1.3.0\",\"id\":\"c2\",\"pid\":0,"));
    CHECK_NOTHROW(Document(text, "list"));
}

TEST_CASE("documents: bytes that are not UTF-8 still make JSON", "[documents]") {
    ContainerView view = sample();
    view.bundle = "/\xff\n\x01";
    CHECK_NOTHROW(Document(spec::write_state(view), "state"));
}

TEST_CASE("features: what readers look for", "[documents]") {
    const std::string text = spec::write_features({"0.1.0", "abc", "2.5.4", {"CAP_CHOWN"}});
    CHECK_NOTHROW(Document(text, "features"));
    CHECK(text.back() == '\n');
    for (const char* part : {
             R"("ociVersionMin": "1.0.0")",
             R"("ociVersionMax": "1.3.0")",
             R"("hooks": [
    "prestart",
    "createRuntime",
    "createContainer",
    "startContainer",
    "poststart",
    "poststop"
  ])",
             R"("rro")",
             R"("ridmap")",
             R"("v2": true)",
             R"("idmap": {
        "enabled": true)",
             R"("capabilities": [
      "CAP_CHOWN"
    ])",
             R"("coracle.version": "0.1.0")",
             R"("coracle.commit": "abc")",
             R"("io.github.seccomp.libseccomp.version": "2.5.4")",
             "\"potentiallyUnsafeConfigAnnotations\": [\n    \"run.oci.keep_original_groups\",\n"
             "    \"run.oci.hooks.stdout\",\n    \"run.oci.hooks.stderr\",\n"
             "    \"run.oci.pidfd_receiver\",\n    \"run.oci.seccomp.receiver\",\n"
             "    \"run.oci.seccomp_fail_unknown_syscall\",\n"
             "    \"run.oci.systemd.subgroup\",\n    \"run.oci.delegate-cgroup\",\n"
             "    \"org.systemd.property.\",\n    \"org.coracle.landlock\",\n"
             "    \"org.coracle.nested-user-namespaces\",\n    \"org.coracle.core-scheduling\",\n"
             "    \"org.coracle.parent-death-signal\"\n  ]",
         }) {
        CHECK(holds(text, part));
    }
}

TEST_CASE("template: parses and is valid", "[documents]") {
    for (const bool rootless : {false, true}) {
        const std::string text = spec::write_template({rootless, 1000, 1001});
        CHECK(text.back() == '\n');
        CHECK(text.find("{\n\t\"ociVersion\": \"1.3.0\",\n") == 0);
        const spec::Config config = spec::parse_config(text);
        CHECK_NOTHROW(spec::validate(config));
        CHECK(config.process.value().terminal);
        CHECK(config.process->args == std::vector<std::string>{"sh"});
        CHECK(config.process->capabilities.value().permitted.size() == 3);
        CHECK(config.process->capabilities->inheritable.empty());
        CHECK(config.process->no_new_privileges);
        CHECK(config.root.value().readonly);
        CHECK(config.mounts.size() == 7);
        CHECK(config.linux_.value().masked_paths.size() == 12);
        CHECK(config.linux_->readonly_paths.size() == 5);
        CHECK_FALSE(config.linux_->seccomp);
    }
}

TEST_CASE("template: rootful and rootless differ where they must", "[documents]") {
    const spec::Config rootful = spec::parse_config(spec::write_template({}));
    CHECK(rootful.linux_.value().namespaces.size() == 6);
    CHECK(rootful.linux_->uid_mappings.empty());
    CHECK(rootful.mounts.at(2).options.back() == "gid=5");
    REQUIRE(rootful.linux_->resources);
    CHECK_FALSE(rootful.linux_->resources->devices.at(0).allow);
    const spec::Config rootless = spec::parse_config(spec::write_template({true, 1000, 1001}));
    CHECK(rootless.linux_.value().namespaces.back().type == "user");
    CHECK(rootless.linux_->uid_mappings.at(0).host_id == 1000);
    CHECK(rootless.linux_->gid_mappings.at(0).host_id == 1001);
    CHECK(rootless.linux_->gid_mappings[0].size == 1);
    CHECK(rootless.mounts.at(2).options.back() == "mode=0620");
    CHECK_FALSE(rootless.linux_->resources);
}
