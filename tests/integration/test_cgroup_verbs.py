"""pause, resume, ps, kill --all and delete, which work on the cgroup of a container."""

import json
import os
import signal
import time

import pytest

import bundles
import cgroups
import residue
from harness import eventually
from residue import process_state

pytestmark = pytest.mark.machine("systemd")
FILES = "--cgroup-manager=cgroupfs"
managers = pytest.mark.parametrize("manager", ["-s", FILES])
CYCLES = int(os.environ.get("CORACLE_CYCLES", "100"))


def on_host_pids(config, _):
    bundles.drop_namespace(config, "pid")


def is_frozen(container):
    return cgroups.key(container, "cgroup.events", "frozen") == 1


# ---- pause and resume


@managers
@pytest.mark.place("manager")
def test_pause_stops_all_processes_until_resume(box, manager):
    container = box.start("children", "2", before=[manager])
    box.must("pause", container.id)
    assert container.status() == "paused" and is_frozen(container)
    listed = json.loads(box.must("list", "--format", "json").out)
    assert [entry["status"] for entry in listed] == ["paused"]
    os.kill(container.pid, signal.SIGTERM)
    time.sleep(0.2)
    assert container.status() == "paused"
    box.must("pause", container.id)  # once more is no error
    box.must("resume", container.id)
    container.wait_stopped()  # of the SIGTERM


def test_resume_of_what_is_not_paused_is_an_error(box):
    container = box.start("pause")
    box.fails("resume", container.id, says="not paused")
    box.must("pause", container.id)
    box.must("resume", container.id)
    assert container.status() == "running"
    box.fails("resume", container.id, says="not paused")


@pytest.mark.parametrize("verb", ["pause", "resume", "ps", "update"])
def test_a_stopped_container_is_refused(box, verb):
    container = box.start("pause")
    box.must("kill", container.id, "KILL")
    container.wait_stopped()
    box.fails(verb, container.id, says="is not running")
    box.fails(verb, "no-such-container", says="does not exist")


def test_a_created_container_can_be_paused(box):
    container = box.create("pause")
    box.must("pause", container.id)
    assert container.status() == "paused" and is_frozen(container)
    box.must("resume", container.id)
    assert container.status() == "created"
    box.must("start", container.id)
    container.wait_for("ready")


def test_exec_in_a_paused_container_is_refused_unless_told(box):
    container = box.start("pause")
    box.must("pause", container.id)
    box.fails("exec", container.id, "/bin/guest", "exit", "0", says="paused")
    before = cgroups.processes(cgroups.directory(container))
    process = box.runtime.popen(
        box.runtime.argv("exec", "--ignore-paused", container.id, "/bin/guest", "exit", "7"),
        open(os.devnull, "wb"), open(os.devnull, "wb"))
    assert eventually(lambda: len(cgroups.processes(cgroups.directory(container))) > len(before))
    assert process.poll() is None
    box.must("resume", container.id)
    assert process.wait(20) == 7


@managers
@pytest.mark.machine("systemd", "uml")
@pytest.mark.place("manager")
def test_kill_ends_a_paused_container(box, manager):
    container = box.start("children", "2", before=[manager])
    box.must("pause", container.id)
    box.must("kill", container.id, "KILL")
    container.wait_stopped()


@managers
@pytest.mark.machine("systemd", "uml")
@pytest.mark.place("manager")
def test_delete_force_ends_a_paused_container(box, manager):
    container = box.start("children", "2", before=[manager])
    directory = cgroups.directory(container)
    box.must("pause", container.id)
    box.fails("delete", container.id, says="paused")
    box.must("delete", "--force", container.id)
    assert not os.path.exists(directory) and cgroups.units(box) == []


def test_what_a_manager_has_frozen_is_paused(box):
    container = box.start("pause")
    cgroups.write(f"{cgroups.directory(container)}/cgroup.freeze", "1")
    assert eventually(lambda: container.status() == "paused")
    box.must("resume", container.id)


# ---- ps


@managers
@pytest.mark.place("manager")
def test_ps_lists_the_processes_of_the_container(box, manager):
    container = box.start("children", "3", before=[manager])
    expected = cgroups.processes(cgroups.directory(container))
    assert len(expected) == 4
    assert json.loads(box.must("ps", "--format", "json", container.id).out) == expected
    assert json.loads(box.must("ps", "-f", "json", container.id).out) == expected
    for args in ([], ["-ef"], ["-o", "pid,comm"], ["aux"]):
        lines = box.must("ps", container.id, *args).out.splitlines()
        column = lines[0].split().index("PID")
        assert sorted(int(line.split()[column]) for line in lines[1:]) == expected, args
    box.fails("ps", container.id, "-o", "comm", says="no column PID")
    box.fails("ps", "--format", "xml", container.id, says="xml")


def test_ps_sees_what_is_in_cgroups_below(box):
    container = box.start("children", "1")
    directory = cgroups.directory(container)
    pids = cgroups.processes(directory)
    os.makedirs(f"{directory}/a/b")
    for name in ("a", "a/b"):
        os.chown(f"{directory}/{name}", *box.owner)
    cgroups.write(f"{directory}/a/b/cgroup.procs", str(pids[-1]))
    assert json.loads(box.must("ps", "--format", "json", container.id).out) == pids
    box.must("delete", "--force", container.id)
    assert not os.path.exists(directory)


# ---- kill --all


@managers
@pytest.mark.modes("root")
def test_kill_all_reaches_what_has_left_init(box, manager):
    """On the host's pid namespace nothing dies with init."""
    container = box.start("children", "3", edit=on_host_pids, before=[manager])
    pids = cgroups.processes(cgroups.directory(container))
    assert len(pids) == 4
    os.kill(container.pid, 9)
    container.wait_stopped()
    left = [pid for pid in pids if pid != container.pid]
    assert cgroups.processes(cgroups.directory(container)) == sorted(left)
    box.must("kill", "--all", container.id, "KILL")
    assert eventually(lambda: all(process_state(pid) in ("", "Z") for pid in left))
    box.must("delete", container.id)


@pytest.mark.parametrize("number", ["TERM", "KILL"])
def test_kill_all_signals_each_process(box, number):
    container = box.start("children", "3")
    children = cgroups.processes(cgroups.directory(container))
    box.must("kill", "--all", container.id, number)
    assert eventually(lambda: all(process_state(pid) in ("", "Z") for pid in children))
    container.wait_stopped()
    box.must("kill", "--all", container.id, "KILL")  # nobody is left, which is what was wanted
    box.fails("kill", container.id, "KILL", says="not running")


FORKS = "while :; do (exec 3>&1; :) & (:) & done"


def test_kill_all_ends_one_that_forks_without_end(box):
    def edit(config, _):
        config["process"]["args"] = ["/bin/sh", "-c", f"echo ready; {FORKS}"]

    container = box.create(bundle=box.bundle(edit=edit, busybox=True))
    box.must("start", container.id)
    container.wait_for("ready")
    box.must("kill", "--all", container.id, "KILL")
    container.wait_stopped()
    assert eventually(lambda: not cgroups.processes(cgroups.directory(container)))


def test_kill_all_does_not_thaw_what_is_paused(box):
    container = box.start("pause")
    box.must("pause", container.id)
    box.must("kill", "--all", container.id, "USR1")
    assert container.status() == "paused" and is_frozen(container)


# ---- delete


@managers
@pytest.mark.modes("root")
def test_delete_ends_what_init_has_left_behind(box, manager):
    container = box.start("children", "3", edit=on_host_pids, before=[manager])
    directory = cgroups.directory(container)
    pids = cgroups.processes(directory)
    os.kill(container.pid, 9)
    container.wait_stopped()
    box.must("delete", container.id)
    assert not os.path.exists(directory) and cgroups.units(box) == []
    assert all(process_state(pid) in ("", "Z") for pid in pids)


@managers
@pytest.mark.place("manager")
def test_cycles_leave_neither_units_nor_cgroups(box, manager):
    """CORACLE_CYCLES says how many; the paths of half of them are taken again."""
    bundle = box.bundle("exit", "0")
    for number in range(CYCLES if box.mode != "userns-root" else CYCLES // 4):
        name = f"cycle{number % 2}-{box.mark}"
        box.ids.append(name)
        if number % 4 == 3:
            box.must("create", "--bundle", bundle.path, name, options=[manager])
            box.must("delete", "--force", name)
        else:
            box.must("run", "--bundle", bundle.path, name, options=[manager])
        if number % 100 == 99:
            residue.reap_children()  # each dead init counts as a key of the user's 200
    box.ids = sorted(set(box.ids))
    assert cgroups.units(box) == []
    assert not [entry for entry in box.leavings() if entry.startswith("cgroup")]
