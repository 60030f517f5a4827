"""Attacks through cgroups: T13, T14, records that name another's cgroup, and two users at once."""

import json
import os
import shutil
import threading

import pytest

import cgroups
from cgroups import limited
from harness import eventually

pytestmark = [pytest.mark.machine("systemd"), pytest.mark.place("manager")]
FILES = "--cgroup-manager=cgroupfs"
managers = pytest.mark.parametrize("manager", ["-s", FILES])


def annotated(**annotations):
    def edit(config, _):
        config["annotations"] = {f"org.systemd.property.{name}": value
                                 for name, value in annotations.items()}
    return edit


# ---- T13, T14: annotations


ALLOWED = {
    "TimeoutStopUSec": ("uint64 7000000", "7s"), "TimeoutStopSec": ("3", "3s"),
    "CollectMode": ("'inactive'", "inactive"), "TasksMax": ("uint64 99", "99"),
    "MemoryHigh": ("uint64 1073741824", "1073741824"), "CPUWeight": ("uint64 55", "55"),
}


@pytest.mark.parametrize("name", ALLOWED)
def test_t13_a_harmless_property_is_set(box, name):
    value, shown = ALLOWED[name]
    container = box.create("pause", edit=annotated(**{name: value}), before=["-s"])
    shown_name = name.replace("StopSec", "StopUSec")
    assert cgroups.properties(box, f"coracle-{container.id}.scope", shown_name) == \
        {shown_name: shown}


DENIED = {
    "ExecStop": "'/bin/sh'", "ExecStopPost": "[('/bin/sh', ['sh', '-c', 'id'], false)]",
    "User": "'root'", "Slice": "'system.slice'", "Delegate": "false", "PIDs": "[uint32 1]",
    "DevicePolicy": "'auto'", "DeviceAllow": "[('/dev/sda', 'rwm')]", "BindsTo": "['a.service']",
    "OnFailure": "['a.service']", "Description": "'x'", "BPFProgram": "[('device', '/x')]",
    "IPAddressDeny": "[]", "OOMPolicy": "'continue'", "RuntimeMaxUSec": "uint64 1",
    "KillMode": "'none'", "SendSIGKILL": "false", "FinalKillSignal": "0", "": "1",
    "MemoryMax\nUser": "uint64 1", "memorymax": "uint64 1",
}


@pytest.mark.parametrize("name", DENIED)
def test_t13_any_other_property_is_refused(box, name):
    bundle = box.bundle("pause", edit=annotated(**{name: DENIED[name]}))
    box.fails("create", "--bundle", bundle.path, box.new_id(), options=["-s"],
              says=["/annotations/org.systemd.property.", "not one of the properties"])
    assert cgroups.units(box) == []


@pytest.mark.parametrize("name, value", [
    ("TasksMax", "'many'"), ("TasksMax", "uint64 -1"), ("CollectMode", "5"), ("MemoryMax", ""),
    ("TimeoutStopUSec", "uint64 99999999999999999999999"), ("CPUAccounting", "'yes'"),
    ("CollectMode", "'a', 'b'")])
def test_t13_a_value_of_another_type_is_refused(box, name, value):
    bundle = box.bundle("pause", edit=annotated(**{name: value}))
    box.fails("create", "--bundle", bundle.path, box.new_id(), options=["-s"],
              says=[f"org.systemd.property.{name}", "not a value of its type"])


def test_t14_an_annotation_does_not_lift_a_limit(box):
    def edit(config, bundle):
        annotated(TasksMax="uint64 100000")(config, bundle)
        limited(pids={"limit": 5})(config, bundle)

    box.fails("create", "--bundle", box.bundle("pause", edit=edit).path, box.new_id(),
              options=["-s", "--rootless=true"], says=["TasksMax", "/linux/resources"])


# ---- records


class Records:
    @staticmethod
    def path(box, container):
        return os.path.join(box.runtime.root, container.id, "record.json")

    @staticmethod
    def change(box, container, **changes):
        """Changes members of the record, and with `cgroup` those of its cgroup."""
        path = Records.path(box, container)
        with open(path, encoding="utf-8") as file:
            record = json.load(file)
        record["cgroup"].update(changes.pop("cgroup", {}))
        record.update(changes)
        with open(path, "w", encoding="utf-8") as file:
            json.dump({key: value for key, value in record.items() if value is not ...}, file,
                      separators=(",", ":"))
            file.write("\n")

    @staticmethod
    def cgroup(box, container):
        with open(Records.path(box, container), encoding="utf-8") as file:
            return json.load(file)["cgroup"]


@managers
def test_delete_does_not_kill_in_a_cgroup_with_another_inode(box, manager):
    """The record names the path and unit of another's; its own id says that it is not the one."""
    victim, container = (box.start("pause", before=[manager]) for _ in range(2))
    own = cgroups.directory(container)
    Records.change(box, container, cgroup={**Records.cgroup(box, victim),
                                           "id": os.stat(own).st_ino})
    box.fails("pause", container.id, says="no cgroup of its own")
    assert json.loads(box.must("ps", "--format", "json", container.id).out) == [container.pid]
    box.fails("exec", container.id, "/bin/guest", "exit", "0", says="no cgroup any more")
    box.must("kill", "--all", container.id, "KILL")
    box.must("delete", "--force", container.id)
    assert victim.status() == "running" and os.path.exists(f"/proc/{victim.pid}")
    assert cgroups.of(victim.pid) == cgroups.path_of(victim)
    assert eventually(lambda: not os.path.exists(own) or not cgroups.processes(own))
    if os.path.exists(own):
        os.rmdir(own)


def test_the_unit_of_a_later_container_is_left(box):
    """It has the name that another had, which has ended and was not deleted yet."""
    edit = cgroups.at(f":test:{box.mark}")
    first = box.start("pause", edit=edit)
    box.must("kill", first.id, "KILL")
    first.wait_stopped()
    assert eventually(lambda: not os.path.exists(
        cgroups.MOUNT + cgroups.scope_of(box, f"test-{box.mark}")))
    second = box.start("pause", edit=edit)
    box.must("kill", "--all", first.id, "KILL")
    box.must("delete", "--force", first.id)
    assert second.status() == "running" and os.path.exists(f"/proc/{second.pid}")
    assert cgroups.of(second.pid) == cgroups.path_of(second)


@managers
def test_a_cgroup_that_somebody_else_has_made_in_its_place_is_left(box, manager):
    container = box.start("pause", before=[manager])
    path = cgroups.path_of(container)
    box.must("kill", container.id, "KILL")
    container.wait_stopped()
    assert eventually(lambda: not os.path.exists(cgroups.MOUNT + path)
                      or not cgroups.processes(cgroups.MOUNT + path))
    if os.path.exists(cgroups.MOUNT + path):
        os.rmdir(cgroups.MOUNT + path)
    with cgroups.Cgroup(path) as other:
        box.must("kill", "--all", container.id, "KILL")
        box.call("delete", container.id)
        box.must("delete", "--force", container.id)
        assert other.is_alive() and cgroups.of(other.process.pid) == path


@pytest.mark.parametrize("scope", [False, True])
def test_a_half_made_record_kills_nobody(box, scope):
    """An intent knows the path that it asked for, not whether it was given."""
    victim = box.start("pause", before=["-s"] if scope else [FILES])
    container = box.start("pause", before=[FILES])
    taken = Records.cgroup(box, victim)
    own = cgroups.directory(container)
    # A creator that has been killed before anything was there.
    Records.change(box, container, pid=0, startTime=0, cgroup={**taken, "id": 0})
    os.kill(container.pid, 9)
    assert eventually(lambda: not cgroups.processes(own))
    box.must("delete", "--force", container.id)
    assert victim.status() == "running" and cgroups.of(victim.pid) == taken["path"]
    os.rmdir(own)


@pytest.mark.parametrize("path", ["/../../tmp", "/", "relative", "/a/../b", "", "/x\n/y"])
def test_a_path_of_a_record_that_is_none_does_no_harm(box, path):
    container = box.start("pause", before=[FILES])
    own = cgroups.directory(container)
    with open(Records.path(box, container), "rb") as file:
        text = file.read()
    Records.change(box, container, cgroup={"path": path, "id": 0})
    box.call("pause", container.id)
    box.call("kill", "--all", container.id, "KILL")
    box.call("delete", "--force", container.id)
    assert os.path.isdir("/tmp") and os.path.exists("/proc/1")
    if os.path.exists(own):  # nobody knows of it any more
        assert eventually(lambda: not cgroups.processes(own)), text
        os.rmdir(own)


# ---- two users at once


def test_two_users_do_not_touch_each_other(make_box):
    """The same ids, the same names of units, at once, in two managers."""
    boxes = [make_box("user", user=user, place="manager") for user in ("tester", "other")]
    name = f"same-{boxes[0].mark}"
    failures = []

    def cycles(box):
        bundle = box.bundle("pause", edit=cgroups.at(f":test:{boxes[0].mark}"))
        for _ in range(15):
            for args in (["create", "--bundle", bundle.path, name], ["start", name],
                         ["pause", name], ["resume", name], ["kill", "--all", name, "KILL"],
                         ["delete", "--force", name]):
                result = box.call(*args, options=["-s"])
                if result.rc != 0:
                    failures.append(str(result))

    threads = [threading.Thread(target=cycles, args=(box,)) for box in boxes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    for box in boxes:
        assert cgroups.units(box, boxes[0].mark) == []


def test_a_record_of_one_user_does_not_reach_the_cgroup_of_the_other(make_box):
    mine, theirs = (make_box("user", user=user, place="manager") for user in ("tester", "other"))
    victim = theirs.start("pause", before=["-s"])
    container = mine.start("pause", before=["-s"])
    own = cgroups.directory(container)
    Records.change(mine, container, cgroup={**Records.cgroup(theirs, victim)})
    for args in (["pause"], ["kill", "--all"], ["delete", "--force"]):
        mine.call(*args, container.id)
    assert victim.status() == "running" and os.path.exists(f"/proc/{victim.pid}")
    assert cgroups.properties(theirs, f"coracle-{victim.id}.scope", "ActiveState") == \
        {"ActiveState": "active"}
    cgroups.systemctl(mine, "stop", os.path.basename(own))
    shutil.rmtree(os.path.join(mine.runtime.root, container.id), ignore_errors=True)
