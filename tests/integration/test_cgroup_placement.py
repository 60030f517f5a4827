"""Which cgroup a container is in, and who makes it: systemd by its bus, or the kernel's directories."""

import os
import socket

import pytest

import cgroups
import machines
from cgroups import at

pytestmark = pytest.mark.machine("systemd")
SYSTEMD = [("-s",), ("--systemd-cgroup",), ("--cgroup-manager", "systemd"),
           ("--cgroup-manager=systemd",), ()]
FILES = ("--cgroup-manager=cgroupfs",)


def assert_scope(container, unit, slice_path=None):
    box = container.box
    expected = cgroups.scope_of(box, unit) if slice_path is None else \
        f"{cgroups.managers_cgroup(box)}{slice_path}/{unit}.scope"
    assert cgroups.path_of(container) == expected
    assert cgroups.of(container.pid) == expected
    assert container.pid in cgroups.processes(cgroups.directory(container))


def assert_gone(box, container, path):
    assert not os.path.exists(cgroups.MOUNT + path)
    assert cgroups.units(box) == [] and container.id


# ---- systemd


@pytest.mark.parametrize("options", SYSTEMD, ids=str)
def test_the_default_is_a_scope_of_the_callers_systemd(box, options):
    container = box.create("pause", before=options)
    assert_scope(container, f"coracle-{container.id}")
    path = cgroups.path_of(container)
    shown = cgroups.properties(box, f"coracle-{container.id}.scope", "ActiveState", "Delegate",
                               "Description", "ControlGroup")
    assert shown == {"ActiveState": "active", "Delegate": "yes", "ControlGroup": path,
                     "Description": f"coracle container {container.id}"}
    box.must("delete", "--force", container.id)
    assert_gone(box, container, path)


@pytest.mark.modes("user", "userns-root")
@pytest.mark.place("manager")
def test_from_a_unit_of_the_users_manager_it_is_a_scope_too(box):
    container = box.create("pause")
    assert_scope(container, f"coracle-{container.id}")


FORMS = {
    "user.slice:libpod:NAME": ("/user.slice", "libpod-NAME"),
    "-:libpod:NAME": ("", "libpod-NAME"),
    ":libpod:NAME": (None, "libpod-NAME"),
    "user.slice::NAME": ("/user.slice", "NAME"),
    "machine-web.slice:cri-containerd:NAME": ("/machine.slice/machine-web.slice",
                                              "cri-containerd-NAME"),
    "user.slice:p:a/NAME": ("/user.slice", "p-a\\x2fNAME"),
    "user.slice:p:ü NAME": ("/user.slice", "p-\\xc3\\xbc\\x20NAME"),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("options", [(), ("-s",)], ids=["default", "-s"])
def test_a_path_of_three_parts_names_slice_and_scope(box, form, options):
    slice_path, unit = FORMS[form]
    container = box.create("pause", before=options, edit=at(form.replace("NAME", box.mark)))
    assert_scope(container, unit.replace("NAME", box.mark), slice_path)
    path = cgroups.path_of(container)
    box.must("delete", "--force", container.id)
    assert_gone(box, container, path)


WRONG = {
    "/a/b": "expected cgroupsPath to be of format",
    "a:b": "expected cgroupsPath to be of format",
    "a.slice:b:c:d": "expected cgroupsPath to be of format",
    "user.slice:p:": "expected cgroupsPath to be of format",
    "user.slice:p:x.slice": "names a slice",
    "user:p:x": "is not the name of a slice",
    "a/b.slice:p:x": "is not the name of a slice",
    "../a.slice:p:x": 'contains ".."',
    "a--b.slice:p:x": "is not the name of a slice",
    ".slice:p:x": "is not the name of a slice",
    "user.slice::.x": "is no name for a unit",
    "user.slice:p:" + 300 * "x": "is no name for a unit",
}


@pytest.mark.parametrize("path", WRONG, ids=lambda path: path[:24])
def test_a_wrong_path_is_an_error_that_names_it(box, path):
    before = cgroups.units(box, "p-x")
    name = box.new_id()
    bundle = box.bundle("pause", edit=at(path))
    box.fails("create", "--bundle", bundle.path, name, options=["-s"],
              says=["/linux/cgroupsPath", WRONG[path]])
    box.fails("state", name, says="does not exist")
    assert cgroups.units(box, "p-x") == before


def test_a_name_that_another_container_has_is_an_error(box):
    first = box.create("pause", before=["-s"], edit=at(f":test:{box.mark}"))
    box.must("start", first.id)
    second = box.new_id()
    bundle = box.bundle("pause", edit=at(f":test:{box.mark}"))
    box.fails("create", "--bundle", bundle.path, second, options=["-s"],
              says=[f"test-{box.mark}.scope", "is there already", "/linux/cgroupsPath"])
    box.must("delete", "--force", second)
    assert first.status() == "running" and cgroups.of(first.pid) == cgroups.path_of(first)


def test_a_scope_that_has_failed_does_not_keep_its_name(box):
    """A scope of that name, stopped and failed, which only reset-failed removes."""
    unit = f"coracle-reuse-{box.mark}.scope"
    for _ in range(2):
        container = box.create("pause", before=["-s"], edit=at(f":coracle:reuse-{box.mark}"))
        os.kill(container.pid, 9)
        container.wait_stopped()
        assert cgroups.properties(box, unit, "ActiveState")["ActiveState"] != "failed"
        box.must("delete", "--force", container.id)


# ---- cgroupfs


def parent_of_own(box):
    """The cgroup beside which the runtime's own is."""
    if box.place == "service":
        return os.path.dirname(cgroups.of("self"))
    own = machines.directory(box.place, box.host_uid)[len(cgroups.MOUNT):]
    return os.path.dirname(own)


@pytest.mark.place("manager")
@pytest.mark.parametrize("path", ["MARK", "a-MARK/b", ""])
def test_cgroupfs_makes_what_is_relative_beside_the_callers_own(box, path):
    container = box.create("pause", before=FILES, edit=at(path.replace("MARK", box.mark)))
    expected = os.path.join(parent_of_own(box), path.replace("MARK", box.mark) or container.id)
    assert cgroups.path_of(container) == expected == cgroups.of(container.pid)
    found = cgroups.directory(container)
    box.must("delete", "--force", container.id, options=["-s"])
    assert not os.path.exists(found)
    if "/" in path:
        os.rmdir(os.path.dirname(found))  # made for it, and another's too meanwhile


@pytest.mark.place("manager")
def test_cgroupfs_makes_an_absolute_path_where_it_says(box):
    place = "" if box.mode == "root" else parent_of_own(box)
    container = box.create("pause", before=FILES, edit=at(f"{place}/{box.mark}"))
    assert cgroups.path_of(container) == f"{place}/{box.mark}" == cgroups.of(container.pid)
    container = box.create("pause", edit=at(f"{place}/{box.mark}x"))  # the form decides
    assert cgroups.of(container.pid) == f"{place}/{box.mark}x"
    assert cgroups.units(box) == []


@pytest.mark.modes("user", "userns-root")
def test_cgroupfs_in_a_session_has_no_place_and_says_so(box):
    for path in ("", f"/{box.mark}", box.mark):
        container = box.create("pause", before=FILES, edit=at(path))
        state = box.state(container.id)
        assert state["cgroup"].startswith("none: ")
        assert cgroups.of(container.pid) == \
            machines.directory(box.place, box.host_uid)[len(cgroups.MOUNT):]
        name = box.new_id()
        bundle = box.bundle("pause", edit=cgroups.limited(path, pids={"limit": 50}))
        box.fails("create", "--bundle", bundle.path, name, options=FILES)


def test_the_root_of_all_cgroups_is_refused(box):
    for path in ("/", "//."):
        bundle = box.bundle("pause", edit=at(path))
        box.fails("create", "--bundle", bundle.path, box.new_id(), options=FILES,
                  says=["/linux/cgroupsPath", "root of all cgroups"])


@pytest.mark.parametrize("path", ["/..", "/a/../..", "../MARK", "../../../../MARK", "/MARK/../x"])
def test_a10_no_path_leads_upwards(box, path):
    for options in (FILES, ()):
        bundle = box.bundle("pause", edit=at(path.replace("MARK", box.mark)))
        box.fails("create", "--bundle", bundle.path, box.new_id(), options=options,
                  says=["/linux/cgroupsPath", 'contains ".."'])


@pytest.mark.modes("root")
def test_a_cgroup_that_has_processes_is_not_taken(box):
    with cgroups.Cgroup(f"/{box.mark}") as other:
        name = box.new_id()
        bundle = box.bundle("pause", edit=at(f"/{box.mark}"))
        box.fails("create", "--bundle", bundle.path, name, options=FILES, says="is not empty")
        box.must("delete", "--force", name)
        assert other.is_alive() and cgroups.of(other.process.pid) == f"/{box.mark}"


@pytest.mark.modes("root")
def test_an_empty_cgroup_is_taken(box):
    with cgroups.Cgroup(f"/{box.mark}", busy=False):
        container = box.create("pause", edit=at(f"/{box.mark}"))
        assert cgroups.of(container.pid) == f"/{box.mark}"
        box.must("delete", "--force", container.id)


# ---- disabled, and a host without a bus


def test_without_a_manager_the_container_stays_where_the_caller_is(box):
    container = box.create("pause", before=["--cgroup-manager=disabled"])
    own = cgroups.of("self") if box.place == "service" else \
        machines.directory(box.place, box.host_uid)[len(cgroups.MOUNT):]
    assert cgroups.of(container.pid) == own
    assert cgroups.path_of(container).startswith("none: ")
    box.fails("pause", container.id, says="no cgroup of its own")
    box.must("kill", "--all", container.id, "KILL")
    bundle = box.bundle("pause", edit=cgroups.limited(pids={"limit": 50}))
    box.fails("create", "--bundle", bundle.path, box.new_id(),
              options=["--cgroup-manager=disabled"], says="/linux/resources/pids/limit")


def test_later_verbs_take_the_manager_from_the_record(box):
    container = box.create("pause", before=["-s"])
    path = cgroups.path_of(container)
    other = ["--cgroup-manager=disabled"]
    box.must("start", container.id, options=other)
    box.must("pause", container.id, options=other)
    assert container.status() == "paused"
    box.must("resume", container.id, options=["--cgroup-manager=cgroupfs"])
    box.must("exec", container.id, "/bin/guest", "exit", "0", options=other)
    box.must("delete", "--force", container.id, options=other)
    assert_gone(box, container, path)


def _no_bus(box, kind):
    """The environment of a runtime that finds no bus in that way, and what it then says."""
    env = dict(box.runtime.env)
    empty = box.directory("runtime", 0o700)
    if kind == "unset":
        del env["XDG_RUNTIME_DIR"]
        return env, "XDG_RUNTIME_DIR is not set: export XDG_RUNTIME_DIR=/run/user/1000"
    env["XDG_RUNTIME_DIR"] = empty
    if kind == "dead":
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(f"{empty}/bus")
        box.give(f"{empty}/bus")
        return env, "connection refused"
    return env, "enable-linger"


@pytest.mark.modes("user")
@pytest.mark.parametrize("kind", ["unset", "empty", "dead"])
@pytest.mark.parametrize("options", [(), ("-s",)], ids=["default", "-s"])
def test_without_a_bus_it_starts_and_says_so_but_not_with_limits(box, kind, options):
    env, says = _no_bus(box, kind)
    container = box.create("pause", before=options, env=env)
    state = box.state(container.id)
    assert state["cgroup"].startswith("none: ") and says in state["cgroup"]
    bundle = box.bundle("pause", edit=cgroups.limited(pids={"limit": 50}))
    box.fails("create", "--bundle", bundle.path, box.new_id(), options=options, env=env,
              says=["/linux/resources/pids/limit", says])
    system = cgroups.systemctl(box, "--system", "list-units", "--all", "--plain", "--full")
    assert box.mark not in system.stdout


@pytest.mark.modes("user")
@pytest.mark.place("manager")
def test_without_a_bus_the_units_own_cgroup_serves(box):
    """As in a service, or after su(1) in a cgroup that is the user's own."""
    env, _ = _no_bus(box, "empty")
    container = box.create("pause", before=["-s"], env=env, edit=at(f":libpod:{box.mark}"))
    assert cgroups.path_of(container) == f"{parent_of_own(box)}/libpod-{box.mark}.scope"
    degraded = box.state(container.id)["degradations"]
    assert any("is a directory and not a scope" in str(entry) for entry in degraded), degraded


@pytest.mark.modes("user")
def test_a_bus_that_never_answers_is_given_up(box):
    env, _ = _no_bus(box, "empty")
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(f"{env['XDG_RUNTIME_DIR']}/bus")
        mute.listen(8)
        box.give(f"{env['XDG_RUNTIME_DIR']}/bus")
        bundle = box.bundle("pause", edit=cgroups.limited(pids={"limit": 50}))
        box.fails("create", "--bundle", bundle.path, box.new_id(), env=env, timeout=60,
                  says=["coracle-", ".scope", "the bus does not answer"])


@pytest.mark.modes("root")
@pytest.mark.parametrize("busy,kind,says", [(True, None, "has processes itself"),
                                            (False, "threaded", "is threaded")])
def test_a_parent_that_cannot_have_the_limit_is_named(box, busy, kind, says):
    with cgroups.Cgroup(f"/{box.mark}", busy=busy) as parent:
        if kind:
            os.mkdir(f"{parent.path}/sibling")
            cgroups.write(f"{parent.path}/sibling/cgroup.type", kind)
        edit = cgroups.limited(f"/{box.mark}/inner", hugepageLimits=[
            {"pageSize": "2MB", "limit": 1 << 22}])
        result = box.call("create", "--bundle", box.bundle("pause", edit=edit).path, box.new_id(),
                          options=FILES)
        if kind:
            os.rmdir(f"{parent.path}/sibling")
        assert result.rc != 0 and len(result.err.splitlines()) == 1
        assert f"/{box.mark}" in result.err
        assert says in result.err
