"""Whole documents of the runtime-spec, good and bad, as its schema has examples: the configurations
that are taken and refused, and what `state` and `features` write."""

import json
import re

import pytest

# ---- config.json

MOUNT = [{"type": "mount"}]  # which coracle asks for, and the schema does not
SMALL = {"ociVersion": "1.0.0", "root": {"path": "rootfs"}, "linux": {"namespaces": MOUNT}}
START = {**SMALL, "process": {"cwd": "/", "args": ["true"]}}
EXAMPLE = {
    "ociVersion": "1.3.0",
    "process": {
        "terminal": True, "consoleSize": {"height": 24, "width": 80},
        "user": {"uid": 0, "gid": 0, "umask": 18, "additionalGids": [5, 6]},
        "args": ["sh"], "env": ["PATH=/bin", "TERM=xterm"], "cwd": "/",
        "capabilities": {key: ["CAP_KILL"] for key in
                         ("bounding", "permitted", "inheritable", "effective", "ambient")},
        "rlimits": [{"type": "RLIMIT_CORE", "hard": 1024, "soft": 1024}],
        "oomScoreAdj": 100, "noNewPrivileges": True,
        "ioPriority": {"class": "IOPRIO_CLASS_IDLE", "priority": 4},
        "scheduler": {"policy": "SCHED_BATCH", "nice": 3},
        "execCPUAffinity": {"initial": "0", "final": "0,1"}},
    "root": {"path": "rootfs", "readonly": True},
    "hostname": "slartibartfast", "domainname": "example.com",
    "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"},
               {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
                "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]}],
    "hooks": {"prestart": [{"path": "/usr/bin/fix-mounts", "args": ["fix-mounts", "arg1"],
                            "env": ["key1=value1"]}],
              "poststop": [{"path": "/usr/sbin/cleanup.sh", "timeout": 5}]},
    "linux": {
        "devices": [{"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229,
                     "fileMode": 438, "uid": 0, "gid": 0}],
        "sysctl": {"net.ipv4.ip_forward": "1"},
        "namespaces": [{"type": kind} for kind in
                       ("pid", "network", "ipc", "uts", "mount", "cgroup", "time")],
        "maskedPaths": ["/proc/kcore"], "readonlyPaths": ["/proc/sys"],
        "rootfsPropagation": "slave",
        "timeOffsets": {"monotonic": {"secs": 172800, "nanosecs": 0}},
        "seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86"],
                    "syscalls": [{"names": ["getcwd", "chmod"], "action": "SCMP_ACT_ERRNO",
                                  "errnoRet": 38}]}},
    "annotations": {"com.example.key1": "value1", "com.example.key2": ""}}


def linux(**members):
    return {**START, "linux": {"namespaces": MOUNT + [{"type": "network"}], **members}}


GOOD = {
    "minimal": SMALL,
    "minimal for start": START,
    "example of the specification": EXAMPLE,
    "annotations without members": {**START, "annotations": {}},
    "sections of other systems": {**START, "solaris": {"milestone": "x"}, "vm": {"kernel": {}},
                                  "windows": {"layerFolders": ["C:\\x"]}, "zos": {}},
    "extensions": {**START, "x-extension": {"any": ["thing", 1.5, None]}},
    "a later minor version": {**START, "ociVersion": "1.999.0"},
    "net devices": linux(netDevices={"eth0": {"name": "container_eth0"}, "ens4": {}}),
    "null counts as absent": {**linux(seccomp=None), "hooks": {"poststop": None}},
}

BAD = {
    "no JSON": ("{", "incomplete"),
    "an array": ([], "must be an object"),
    "a string": ("\"config\"", "must be an object"),
    "no version": ({"root": {"path": "rootfs"}, "linux": SMALL["linux"]}, "ociVersion"),
    "an empty version": ({**START, "ociVersion": ""}, "ociVersion"),
    "a version that is no string": ({**START, "ociVersion": 1.0}, "/ociVersion"),
    "another major version": ({**START, "ociVersion": "2.0.0"}, "/ociVersion"),
    "no root": ({"ociVersion": "1.0.0", "linux": SMALL["linux"]}, "root"),
    "a root without a path": ({**START, "root": {}}, "path"),
    "a root that is a string": ({**START, "root": "rootfs"}, "/root"),
    "a process without cwd": ({**SMALL, "process": {"args": ["true"]}}, "cwd"),
    "a cwd that is relative": ({**SMALL, "process": {"cwd": "x", "args": ["true"]}}, "cwd"),
    "no program": ({**SMALL, "process": {"cwd": "/", "args": []}}, "/process/args"),
    "arguments that are a string": ({**SMALL, "process": {"cwd": "/", "args": "sh"}},
                                    "/process/args"),
    "half a console size": ({**SMALL, "process": {**START["process"], "terminal": True,
                                                  "consoleSize": {"height": 24}}}, "width"),
    "a limit without a value": ({**SMALL, "process": {
        **START["process"], "rlimits": [{"type": "RLIMIT_CORE", "soft": 1}]}}, "hard"),
    "a limit twice": ({**SMALL, "process": {**START["process"], "rlimits": [
        {"type": "RLIMIT_CORE", "soft": 1, "hard": 1}] * 2}}, "RLIMIT_CORE"),
    "a mount without destination": ({**START, "mounts": [{"source": "/x"}]}, "destination"),
    "options that are a string": ({**START, "mounts": [{"destination": "/x", "options": "ro"}]},
                                  "/mounts/0/options"),
    "half a map": ({**START, "mounts": [{"destination": "/x", "options": ["bind"], "source": "/",
                                         "uidMappings": [{"containerID": 0, "size": 1}]}]},
                   "hostID"),
    "a hook without a path": ({**START, "hooks": {"prestart": [{"args": ["x"]}]}}, "path"),
    "a hook that takes no time": ({**START, "hooks": {"prestart": [{"path": "/x", "timeout": 0}]}},
                                  "timeout"),
    "an annotation that is a number": ({**START, "annotations": {"a": 1}}, "/annotations/a"),
    "an annotation without a name": ({**START, "annotations": {"": "x"}}, "/annotations"),
    "a namespace without a type": (linux(namespaces=MOUNT + [{}]), "type"),
    "a namespace twice": (linux(namespaces=MOUNT * 2), "/linux/namespaces/1"),
    "page sizes in words": (linux(resources={"hugepageLimits": [
        {"pageSize": "64kB", "limit": 1}]}), "/linux/resources/hugepageLimits/0/pageSize"),
    "huge pages without a limit": (linux(resources={"hugepageLimits": [{"pageSize": "2MB"}]}),
                                   "limit"),
    "rdma that is no object": (linux(resources={"rdma": {"mlx5_1": "not an object"}}),
                               "/linux/resources/rdma/mlx5_1"),
    "a net device with a slash": (linux(netDevices={"eth0": {"name": "a/b"}}),
                                  "/linux/netDevices/eth0/name"),
    "a net device with a long name": (linux(netDevices={"eth0": {"name": "x" * 16}}),
                                     "/linux/netDevices/eth0/name"),
    "a net device that is a string": (linux(netDevices={"eth0": "eth1"}), "/linux/netDevices/eth0"),
    "a device without a type": (linux(devices=[{"path": "/dev/x"}]), "type"),
    "seccomp without a default": (linux(seccomp={"syscalls": []}), "defaultAction"),
    "a rule without names": (linux(seccomp={
        "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"action": "SCMP_ACT_ERRNO"}]}), "names"),
    "no namespace for mounts": ({**START, "linux": {}}, "its own mount namespace"),
}


def planned(box, document):
    bundle = box.bundle("exit", "0")
    bundle.write(document if isinstance(document, str) else json.dumps(document))
    terminal = isinstance(document, dict) and document.get("process", {}).get("terminal")
    options = ["--console-socket", "/no/agent"] if terminal else []
    return box.call("create", "--dry-run", *options, "--bundle", bundle.path, box.new_id())


@pytest.mark.modes("root")
@pytest.mark.parametrize("name", GOOD)
def test_a_good_configuration_is_planned(box, name):
    result = planned(box, GOOD[name])
    assert result.rc == 0, result


@pytest.mark.modes("root")
@pytest.mark.parametrize("name", BAD)
def test_a_bad_configuration_is_refused_by_its_name(box, name):
    document, says = BAD[name]
    result = planned(box, document)
    assert result.rc == 1 and says in result.err and len(result.err.splitlines()) == 1, result


# ---- what is written: a type, or a function that says what is wrong


def array(*words):
    """An array of strings, of these if there are any."""
    return lambda value: "no array of strings" if not isinstance(value, list) or not all(
        isinstance(word, str) and (not words or word in words) for word in value) else None


def matching(pattern):
    return lambda value: None if isinstance(value, str) and re.fullmatch(pattern, value) \
        else f"does not match {pattern}"


def one_of(*words):
    return lambda value: None if value in words else f"is none of {words}"


def strings(value):
    ok = isinstance(value, dict) and all(key and isinstance(text, str)
                                         for key, text in value.items())
    return None if ok else "no map of strings"


def count(value):
    ok = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return None if ok else "no count"


VERSION = matching(r"\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?")
ENABLED = {"enabled": bool}
STATE = {"ociVersion": VERSION, "id": str, "bundle": matching("/.*"), "pid?": count,
         "status": one_of("creating", "created", "running", "stopped"), "annotations?": strings}
NAMESPACES = array("cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts")
FEATURES = {
    "ociVersionMin": VERSION, "ociVersionMax": VERSION, "hooks?": array(), "mountOptions?": array(),
    "annotations?": strings, "potentiallyUnsafeConfigAnnotations?": array(),
    "linux?": {
        "namespaces?": NAMESPACES, "capabilities?": array(),
        "cgroup?": {f"{key}?": bool for key in ("v1", "v2", "systemd", "systemdUser", "rdma")},
        "seccomp?": {"enabled?": bool, "actions?": array(), "operators?": array(),
                     "archs?": array(), "knownFlags?": array(), "supportedFlags?": array()},
        "apparmor?": ENABLED, "selinux?": ENABLED, "intelRdt?": {"enabled?": bool},
        "mountExtensions?": {"idmap?": ENABLED}, "netDevices?": ENABLED}}
PROCESS_STATE = {"ociVersion": VERSION, "fds": array(), "pid": count, "metadata?": str,
                 "state": STATE}


def faults(shape, value, at=""):
    """What is wrong with the document: [pointer and words]. A "?" is a member that may be absent."""
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            return [f"{at}: no object"]
        found = []
        for key, inner in shape.items():
            name = key.removesuffix("?")
            if name in value:
                found += faults(inner, value[name], f"{at}/{name}")
            elif name == key:
                found.append(f"{at}/{name}: absent")
        return found
    if isinstance(shape, type):
        return [] if type(value) is shape else [f"{at}: no {shape.__name__}"]
    problem = shape(value)
    return [f"{at}: {problem}"] if problem else []


GOOD_STATE = {"ociVersion": "1.3.0", "id": "c", "status": "running", "pid": 4422, "bundle": "/b",
              "annotations": {"a": "b"}}
GOOD_FEATURES = {"ociVersionMin": "1.0.0", "ociVersionMax": "1.3.0-rc.1", "hooks": ["prestart"],
                 "linux": {"namespaces": ["user"], "cgroup": {"v2": True},
                           "mountExtensions": {"idmap": {"enabled": False}}},
                 "x": 1}


@pytest.mark.parametrize("shape, good, change", [
    (STATE, GOOD_STATE, {}),
    (STATE, {k: v for k, v in GOOD_STATE.items() if k not in ("pid", "annotations")}, {}),
    (STATE, GOOD_STATE, {"ociVersion": "1.3"}), (STATE, GOOD_STATE, {"id": 1}),
    (STATE, GOOD_STATE, {"status": "paused"}), (STATE, GOOD_STATE, {"pid": -1}),
    (STATE, GOOD_STATE, {"pid": "4422"}), (STATE, GOOD_STATE, {"bundle": None}),
    (STATE, GOOD_STATE, {"annotations": {"": "x"}}), (STATE, GOOD_STATE, {"annotations": []}),
    (FEATURES, GOOD_FEATURES, {}),
    (FEATURES, {"ociVersionMin": "1.0.0", "ociVersionMax": "1.3.0"}, {}),
    (FEATURES, GOOD_FEATURES, {"ociVersionMax": None}),
    (FEATURES, GOOD_FEATURES, {"hooks": "prestart"}), (FEATURES, GOOD_FEATURES, {"hooks": [1]}),
    (FEATURES, GOOD_FEATURES, {"linux": {"namespaces": ["moon"]}}),
    (FEATURES, GOOD_FEATURES, {"linux": {"cgroup": {"v2": "yes"}}}),
    (FEATURES, GOOD_FEATURES, {"linux": {"mountExtensions": {"idmap": {}}}}),
    (FEATURES, GOOD_FEATURES, {"linux": []}),
])
def test_the_shapes_tell_good_documents_from_bad_ones(shape, good, change):
    assert bool(faults(shape, {**good, **change})) == bool(change)


def test_features_is_a_good_document(box):
    document = json.loads(box.must("features").out)
    assert faults(FEATURES, document) == []
    assert set(document) <= {key.removesuffix("?") for key in FEATURES}


def test_state_is_a_good_document_at_each_status(box):
    container = box.create("trap", "15", "0", edit=lambda config, _: config.update(
        annotations={"org.example": "x"}))
    for act, status in ((None, "created"), ("start", "running"), ("kill", "stopped")):
        if act:
            box.must(act, container.id, *(["KILL"] if act == "kill" else []))
        if act == "kill":
            container.wait_stopped()
        document = box.state(container.id)
        assert faults(STATE, document) == [] and document["status"] == status, document
        assert document["annotations"] == {"org.example": "x"}
        assert (document["pid"] > 0) == (status != "stopped")
