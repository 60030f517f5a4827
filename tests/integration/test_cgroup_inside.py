"""T15: each process of a container is in its cgroup, whoever started it and whatever it may do."""

import json
import os
import threading

import pytest

import bundles
import cgroups
import machines
import modes
from harness import eventually

pytestmark = pytest.mark.machine("systemd")
FILES = "--cgroup-manager=cgroupfs"


def writable(config, _):
    bundles.mount_at(config, "/sys/fs/cgroup")["options"].remove("ro")


def mapped(outside, on_host=None, size=1000):
    """An edit: root of the container is `outside` for the runtime, `on_host` for the host."""
    def edit(config, bundle):
        spaces = config["linux"]["namespaces"]
        if {"type": "user"} not in spaces:
            spaces.append({"type": "user"})
        for name in ("uidMappings", "gidMappings"):
            config["linux"][name] = [{"containerID": 0, "hostID": outside, "size": size}]
        for base, names, files in os.walk(bundle.rootfs):
            for name in [".", *names, *files]:
                os.chown(os.path.join(base, name), *2 * [on_host or outside],
                         follow_symlinks=False)
        os.chmod(bundle.rootfs, 0o755)
    return edit


def together(*edits):
    def edit(config, bundle):
        for each in edits:
            each(config, bundle)
    return edit


def is_in(pid, cgroup):
    found = cgroups.of(pid)
    return found == cgroup or found.startswith(cgroup + "/")


def try_exec_detached(box, container, *args, options=(), **kw):
    """The pid of a program that has been executed in the container, None if that fails."""
    path = box.pid_file()
    result = box.call("exec", "--detach", "--pid-file", path, *options, container.id, "/bin/guest",
                      *args, **kw)
    if result.rc != 0:
        assert "cgroup" in result.err, result
        return None
    with open(path, encoding="ascii") as file:
        pid = int(file.read())
    # It is this process's child now, and until it is reaped its pid namespace does not end.
    threading.Thread(target=os.waitpid, args=(pid, 0), daemon=True).start()
    return pid


def exec_detached(*args, **kw):
    pid = try_exec_detached(*args, **kw)
    assert pid
    return pid


def sub_uid(box):
    """A container's root that is another than the runtime."""
    first = machines.FIRST_SUBID
    return mapped(1, first) if box.mode == "userns-root" else mapped(first)


@pytest.mark.parametrize("maps", ["own", "sub-uid"])
@pytest.mark.parametrize("manager", ["-s", FILES])
@pytest.mark.place("manager")
def test_run_and_exec_are_inside(box, maps, manager):
    edit = sub_uid(box) if maps == "sub-uid" else None
    container = box.start("children", "3", edit=edit, before=[manager])
    pids = [container.pid, exec_detached(box, container, "children", "1")]
    path = cgroups.path_of(container)
    assert all(is_in(pid, path) for pid in pids)
    assert eventually(lambda: len(cgroups.processes(cgroups.directory(container))) == 6)
    box.must("exec", container.id, "/bin/guest", "exit", "0")


@pytest.mark.machine("systemd", "uml")
@pytest.mark.parametrize("maps", ["own", "sub-uid"])
def test_run_and_exec_are_inside_from_a_session(box, maps):
    """Where no cgroup on the way is the user's, systemd moves the processes."""
    container = box.start("pause", edit=sub_uid(box) if maps == "sub-uid" else None)
    pid = exec_detached(box, container, "pause")
    path = cgroups.path_of(container)
    assert path.startswith("/") and is_in(container.pid, path) and is_in(pid, path)
    # Not later either: what has been seen first is what stays.
    assert cgroups.processes(cgroups.directory(container)) == sorted([container.pid, pid])


@pytest.mark.parametrize("kind", ["createRuntime", "createContainer", "startContainer"])
def test_hooks_of_the_container_are_inside(box, kind):
    """Those that run in its namespaces; createRuntime runs in those of the runtime, outside."""
    mark = f"hook-{box.mark}"
    program = "/bin/guest" if kind == "startContainer" else "/bin/sleep"
    words = ["guest", "sleep", "2"] if kind == "startContainer" else ["sleep", "2"]

    def edit(config, _):
        config["hooks"] = {kind: [{"path": program, "args": words, "env": [f"HOOK={mark}"]}]}

    bundle = box.bundle("exit", "0", edit=edit)
    name = box.new_id()
    results = []
    runner = threading.Thread(target=lambda: results.append(
        box.call("run", "--bundle", bundle.path, name)))
    runner.start()
    try:
        def find():
            for pid in filter(str.isdigit, os.listdir("/proc")):
                try:
                    with open(f"/proc/{pid}/environ", "rb") as file:
                        if mark.encode() in file.read():
                            return int(pid), cgroups.of(pid)
                except OSError:
                    continue
            return None
        found = eventually(find, 20)
    finally:
        runner.join()
    assert found and results[0].rc == 0, results[0]
    inside = cgroups.scope_of(box, f"coracle-{name}")
    assert (found[1] == inside) == (kind != "createRuntime")


@pytest.mark.machine("systemd", "uml")
@pytest.mark.parametrize("maps", ["own", "sub-uid"])
def test_exec_goes_where_the_payload_has_gone(box, maps):
    """A cgroup with cgroups below it that have controllers takes no processes."""
    container = box.start("pause", edit=sub_uid(box) if maps == "sub-uid" else None)
    directory = cgroups.directory(container)
    os.mkdir(f"{directory}/inner")
    if box.host_uid:
        for name in (".", "cgroup.procs"):
            os.chown(f"{directory}/inner/{name}", *box.owner)
    cgroups.write(f"{directory}/inner/cgroup.procs", str(container.pid))
    divided = "pids" in cgroups.value(container, "cgroup.controllers").split()
    if divided:
        cgroups.write(f"{directory}/cgroup.subtree_control", "+pids")
    pid = exec_detached(box, container, "pause")
    path = cgroups.path_of(container)
    assert cgroups.of(pid) == (f"{path}/inner" if divided else path)
    box.must("delete", "--force", container.id)
    assert not os.path.exists(directory)


def test_exec_into_a_cgroup_below(box):
    container = box.start("pause")
    directory, path = cgroups.directory(container), cgroups.path_of(container)
    os.makedirs(f"{directory}/a/b")
    for base, _, names in os.walk(f"{directory}/a"):
        for name in [".", *names]:
            os.chown(os.path.join(base, name), *box.owner)
    for given, expected in {"a": "/a", "/a": "/a", "a/b": "/a/b", "/": "", "//a/./b": "/a/b"}.items():
        pid = exec_detached(box, container, "pause", options=["--cgroup", given])
        assert cgroups.of(pid) == path + expected, given
    box.fails("exec", "--cgroup", "missing", container.id, "/bin/guest", "exit", "0", says="missing")


@pytest.mark.parametrize("given", ["..", "../..", "/..", "a/../../..", "../OTHER"])
def test_a10_exec_does_not_leave_the_cgroup(box, given):
    other, container = box.start("pause"), box.start("pause")
    before = cgroups.processes(cgroups.directory(other))
    given = given.replace("OTHER", os.path.basename(cgroups.path_of(other)))
    pid = try_exec_detached(box, container, "pause", options=["--cgroup", given])
    assert cgroups.processes(cgroups.directory(other)) == before
    expected = sorted(filter(None, [container.pid, pid]))
    assert cgroups.processes(cgroups.directory(container)) == expected


ANNOTATIONS = ["run.oci.systemd.subgroup", "run.oci.delegate-cgroup"]


@pytest.mark.parametrize("names", [ANNOTATIONS[:1], ANNOTATIONS[1:], ANNOTATIONS], ids=str)
@pytest.mark.parametrize("manager", ["-s", FILES])
@pytest.mark.place("manager")
def test_a_sub_cgroup_by_annotation(box, names, manager):
    def edit(config, _):
        config["annotations"] = {name: f"part{index}" for index, name in enumerate(names)}

    container = box.start("pause", edit=edit, before=[manager])
    path = cgroups.path_of(container)
    assert path.endswith("/" + "/".join(f"part{index}" for index in range(len(names))))
    pid = exec_detached(box, container, "pause")
    assert cgroups.of(container.pid) == path == cgroups.of(pid)
    top = exec_detached(box, container, "pause", options=["--cgroup", "/"])
    assert cgroups.of(top) == path.split("/part")[0]
    box.must("delete", "--force", container.id)
    assert not os.path.exists(cgroups.MOUNT + path.split("/part")[0])


@pytest.mark.parametrize("value", ["..", ".", "a/b", "/", "../x"])
@pytest.mark.parametrize("name", ANNOTATIONS)
def test_a10_an_annotation_does_not_leave_the_cgroup(box, name, value):
    def edit(config, _):
        config["annotations"] = {name: value}

    box.fails("create", "--bundle", box.bundle("pause", edit=edit).path, box.new_id(),
              says=[name, "is not the name of a cgroup"])


# ---- what the container sees


@pytest.mark.parametrize("maps", ["own", "sub-uid"])
def test_the_container_sees_its_cgroup_as_the_root(box, maps):
    edit = sub_uid(box) if maps == "sub-uid" else None
    out = box.output("also", "cat", "/proc/self/cgroup", "--", "cat", "/proc/self/mountinfo",
                     edit=edit)
    assert "0::/" in out.splitlines()
    line = next(line for line in out.splitlines() if " /sys/fs/cgroup " in line)
    assert line.split()[3] == "/" and " cgroup2 " in line
    container = box.start("pause", edit=edit)
    result = box.must("exec", container.id, "/bin/guest", "cat", "/proc/self/cgroup")
    assert result.out.splitlines()[-1] == "0::/"


def delegated_files():
    return set(cgroups.read("/sys/kernel/cgroup/delegate").split())


@pytest.mark.modes("root")
@pytest.mark.parametrize("manager", ["-s", FILES])
def test_a_writable_cgroup_is_its_roots_own(box, manager):
    container = box.start("pause", edit=together(mapped(200000), writable), before=[manager])
    directory = cgroups.directory(container)
    assert os.stat(directory).st_uid == 200000
    owned = {name for name in os.listdir(directory) if os.stat(f"{directory}/{name}").st_uid}
    assert owned == delegated_files() & set(os.listdir(directory)) and "cgroup.procs" in owned
    assert os.stat(os.path.dirname(directory)).st_uid == 0
    call = ["exec", container.id, "/bin/guest"]
    box.must(*call, "write", "/sys/fs/cgroup/cgroup.procs", "0")
    assert box.call(*call, "write", "/sys/fs/cgroup/cgroup.freeze", "1").rc != 0


@pytest.mark.modes("root")
@pytest.mark.parametrize("without", ["rw", "cgroup", "user"])
def test_a_cgroup_is_not_given_away_otherwise(box, without):
    edits = [mapped(200000)] if without != "user" else []
    edits += [writable] if without != "rw" else []
    if without == "cgroup":
        edits.append(lambda config, _: bundles.drop_namespace(config, "cgroup"))
    container = box.create("pause", edit=together(*edits))
    directory = cgroups.directory(container)
    assert os.stat(directory).st_uid == 0
    assert not [name for name in os.listdir(directory) if os.stat(f"{directory}/{name}").st_uid]


@pytest.mark.modes("user")
def test_a_users_container_may_divide_its_own_cgroup(box):
    """Where it is mounted writable, and its root is the user."""
    container = box.start("pause", edit=writable)
    box.must("exec", container.id, "/bin/guest", "write", "/sys/fs/cgroup/cgroup.procs", "0")
    assert json.loads(box.must("state", container.id).out)["status"] == "running"
    assert modes.TEST_UID == os.stat(cgroups.directory(container)).st_uid
