"""`features` says what the build does: each word that it lists is taken, and nothing else is."""

import json
import os
import re

import pytest

import harness

SOURCE = os.path.join(harness.CHECKOUT, "src")


@pytest.fixture
def features(box):
    return json.loads(box.must("features").out)


def plan(box, edit):
    """The result of planning a container; nothing is made."""
    made = box.bundle("exit", "0", edit=edit)
    return box.call("create", "--dry-run", "--bundle", made.path, box.new_id())


def taken(box, edit):
    result = plan(box, edit)
    assert result.rc == 0, result


def refused(box, edit, says):
    result = plan(box, edit)
    assert result.rc == 1 and says in result.err, result


def words_of_table(path, table):
    """The string literals of a table in the source."""
    with open(os.path.join(SOURCE, path), encoding="utf-8") as file:
        text = file.read()
    begin = text.index(table)
    return re.findall(r"\"(\w+)\"", text[begin:text.index("};", begin)])


def hooks(*kinds):
    return lambda config, _: config.update(hooks={kind: [{"path": "/bin/true"}] for kind in kinds})


def test_every_hook_that_is_listed_is_planned(box, features):
    assert features["hooks"] == ["prestart", "createRuntime", "createContainer", "startContainer",
                                 "poststart", "poststop"]
    result = plan(box, hooks(*features["hooks"]))
    assert result.rc == 0
    for kind in features["hooks"]:
        assert f"/hooks/{kind}/0" in result.out


def seccomp(**profile):
    base = {"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/agent", "syscalls": []}
    return lambda config, _: config["linux"].update(seccomp={**base, **profile})


def rule(**more):
    return [{"names": ["getcpu"], "action": "SCMP_ACT_ERRNO", **more}]


def test_the_words_of_seccomp_are_those_that_are_taken(box, features):
    words = features["linux"]["seccomp"]
    assert words["enabled"] is True
    for action in words["actions"]:
        taken(box, seccomp(syscalls=rule(action=action)))
    for operator in words["operators"]:
        taken(box, seccomp(syscalls=rule(args=[{"index": 0, "value": 1, "op": operator}])))
    for architecture in words["archs"]:
        taken(box, seccomp(architectures=[architecture]))
    assert words["knownFlags"] == words["supportedFlags"]
    for flag in words["supportedFlags"]:
        taken(box, seccomp(flags=[flag], syscalls=rule(action="SCMP_ACT_NOTIFY")))
    refused(box, seccomp(syscalls=rule(action="SCMP_ACT_NONE")), "action")
    refused(box, seccomp(syscalls=rule(args=[{"index": 0, "value": 1, "op": "SCMP_CMP_X"}])), "op")
    refused(box, seccomp(architectures=["SCMP_ARCH_VAX"]), "architectures")
    refused(box, seccomp(flags=["SECCOMP_FILTER_FLAG_NEW_LISTENER"]), "flags")


@pytest.mark.parametrize("key, table", [
    ("actions", "array actions"), ("operators", "> operators"), ("archs", "array architectures"),
    ("knownFlags", "> flags")])
def test_the_words_of_seccomp_are_those_of_the_tables(features, key, table):
    words = [word for word in words_of_table("spec/seccomp_names.cpp", table)
             if word.startswith(("SCMP_", "SECCOMP_"))]
    assert sorted(features["linux"]["seccomp"][key]) == sorted(words)


def test_every_namespace_that_is_listed_is_planned(box, features):
    names = features["linux"]["namespaces"]
    assert sorted(names) == ["cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"]
    for name in names:
        def edit(config, _, name=name):
            spaces = config["linux"]["namespaces"]
            if name not in [space["type"] for space in spaces]:
                spaces.append({"type": name})
            if name == "user" and "uidMappings" not in config["linux"]:
                config["linux"]["uidMappings"] = [{"containerID": 0, "hostID": 0, "size": 100}]
                config["linux"]["gidMappings"] = [{"containerID": 0, "hostID": 0, "size": 100}]
        taken(box, edit)
    refused(box, lambda config, _: config["linux"]["namespaces"].append({"type": "vax"}), "vax")


def test_every_mount_option_that_is_listed_is_taken(box, features):
    kinds = {"idmap", "ridmap", "remount"}  # they need more than a bind
    for option in features["mountOptions"]:
        if option in kinds:
            continue

        def edit(config, bundle, option=option):
            bundle.directory("m")
            config["mounts"].append({"destination": "/m", "type": "bind", "source": bundle.rootfs,
                                     "options": ["bind", option]})
        result = plan(box, edit)
        assert result.rc == 0 or "unknown" not in result.err, result
    assert len(set(features["mountOptions"])) == len(features["mountOptions"])


def test_every_capability_that_is_listed_is_known(box, features):
    names = features["linux"]["capabilities"]
    assert len(names) >= 41 and len(set(names)) == len(names)
    result = plan(box, lambda config, _: config["process"]["capabilities"].update(bounding=names))
    assert "is not a known capability" not in result.out
    result = plan(box, lambda config, _: config["process"]["capabilities"].update(
        bounding=["CAP_VAX"]))
    assert "CAP_VAX is not a known capability" in result.out


SWITCHES = {
    "intelRdt": (lambda config, _: config["linux"].update(intelRdt={"closID": "x"}),
                 "/linux/intelRdt"),
    "apparmor": (lambda config, _: config["process"].update(apparmorProfile="p"),
                 "/process/apparmorProfile"),
    "selinux": (lambda config, _: config["process"].update(selinuxLabel="a:b:c:d"),
                "/process/selinuxLabel"),
    "netDevices": (lambda config, _: config["linux"].update(netDevices={"eth9": {}}),
                   "/linux/netDevices"),
}


@pytest.mark.parametrize("name", SWITCHES)
def test_what_is_switched_off_is_refused_by_name(box, features, name):
    edit, pointer = SWITCHES[name]
    section = features["linux"].get(name, {"enabled": False})
    if not section.get("enabled", True):
        refused(box, edit, pointer)
    else:  # it may need what this host has not; but it is not "not supported yet"
        assert "not supported yet" not in plan(box, edit).err


def test_the_words_of_the_memory_policy_are_those_that_are_taken(box, features):
    words = features["linux"]["memoryPolicy"]
    for mode in words["modes"]:
        nodes = "" if mode in ("MPOL_DEFAULT", "MPOL_LOCAL") else "0"
        taken(box, lambda config, _, mode=mode, nodes=nodes: config["linux"].update(
            memoryPolicy={"mode": mode, "nodes": nodes}))
    for flag in words["flags"]:
        taken(box, lambda config, _, flag=flag: config["linux"].update(
            memoryPolicy={"mode": "MPOL_BIND", "nodes": "0", "flags": [flag]}))
    refused(box, lambda config, _: config["linux"].update(
        memoryPolicy={"mode": "MPOL_VAX", "nodes": "0"}), "/linux/memoryPolicy")


def test_the_unsafe_annotations_are_all_that_change_what_is_done(box, features):
    names = features["potentiallyUnsafeConfigAnnotations"]
    with open(os.path.join(harness.CHECKOUT, "include/coracle/spec/annotations.h"),
              encoding="utf-8") as file:
        text = file.read()
    known = re.findall(r"_annotation =\s+\"([^\"]+)\"", text)
    assert sorted(names) == sorted(known) and len(known) == 13
    no_paths = {"run.oci.keep_original_groups", "run.oci.seccomp_fail_unknown_syscall",
                "run.oci.systemd.subgroup", "run.oci.delegate-cgroup", "org.systemd.property."}
    notify = {"defaultAction": "SCMP_ACT_ALLOW",
              "syscalls": [{"names": ["getcpu"], "action": "SCMP_ACT_NOTIFY"}]}
    for name in names:
        if name in no_paths:
            continue

        def edit(config, _, name=name):
            config["annotations"] = {name: "relative"}
            if name == "run.oci.seccomp.receiver":
                config["linux"]["seccomp"] = notify
        refused(box, edit, f"/annotations/{name}")
