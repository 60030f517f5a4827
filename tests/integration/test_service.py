"""A container as a service of systemd: a unit of Type=notify runs it, and hears its payload."""

import contextlib
import os
import subprocess
import time

import pytest

import cgroups
import machines
import residue
from harness import eventually

pytestmark = [pytest.mark.machine("systemd"), pytest.mark.modes("user", "root")]
DISABLED = "--cgroup-manager=disabled"  # the payload stays in the unit's cgroup


def places(unit):
    """The cgroups of a unit that are there."""
    return [text.removeprefix("cgroup ") for text in residue.find_cgroups(unit)]


@pytest.fixture
def service(box):
    """Starts the verb as a service; the name of the unit, once systemd-run has come back."""
    name = f"{box.mark}-service.service"

    def start(*args, options=(), **properties):
        before = machines.as_user(box.host_uid) if box.host_uid else []
        scope = ["--user"] if box.host_uid else []
        about = [f"--property={key}={value}" for key, value in
                 {"Type": "notify", "TimeoutStartSec": 20, "TimeoutStopSec": 2, **properties}.items()]
        path = f"--setenv=XDG_RUNTIME_DIR={box.runtime.env['XDG_RUNTIME_DIR']}"
        return subprocess.run(
            [*before, "systemd-run", *scope, "--quiet", f"--unit={name}", path, *about,
             box.runtime.path, "--root", box.runtime.root, *options, *args],
            check=False, capture_output=True, text=True, timeout=60)

    start.unit = name
    yield start
    cgroups.systemctl(box, "stop", name)
    eventually(lambda: not any(cgroups.processes(path) for path in places(name)))
    cgroups.systemctl(box, "reset-failed", name)
    for path in places(name):  # systemd forgets one that was busy when it forgot the unit
        with contextlib.suppress(OSError):
            os.rmdir(path)


def shown(box, service, *names):
    return cgroups.properties(box, service.unit, *names)


def journal(box, service):
    return subprocess.run(["journalctl", "--no-pager", "-q", f"USER_UNIT={service.unit}", "+",
                           f"UNIT={service.unit}"], check=False, capture_output=True,
                          text=True).stdout


def test_a_run_in_the_foreground_is_ready_when_its_payload_says_so(box, service):
    bundle = box.bundle("notify", "sleep", "STATUS=warm\nREADY=1", "pause")
    began = time.monotonic()
    started = service("run", "--bundle", bundle.path, box.new_id())
    assert started.returncode == 0, started.stderr + journal(box, service)
    assert time.monotonic() - began >= 0.4  # not before the payload
    found = shown(box, service, "ActiveState", "SubState", "StatusText", "MainPID")
    assert (found["ActiveState"], found["SubState"], found["StatusText"]) \
        == ("active", "running", "warm")
    with open(f"/proc/{found['MainPID']}/comm", encoding="ascii") as file:
        assert file.read().startswith("coracle")


def test_a_run_in_the_foreground_keeps_the_watchdog_quiet_and_says_when_it_stops(box, service):
    words = ["READY=1"] + ["sleep", "WATCHDOG=1"] * 6 + ["STOPPING=1\nSTATUS=bye", "pause"]
    bundle = box.bundle("notify", *words)
    started = service("run", "--bundle", bundle.path, box.new_id(), WatchdogSec="1800ms")
    assert started.returncode == 0, started.stderr + journal(box, service)
    time.sleep(2.2)  # longer than the watchdog waits without a word
    assert shown(box, service, "ActiveState", "SubState") \
        == {"ActiveState": "active", "SubState": "running"}, journal(box, service)
    assert eventually(lambda: shown(box, service, "StatusText")["StatusText"] == "bye")
    assert shown(box, service, "ActiveState")["ActiveState"] == "deactivating"


def test_a_run_in_the_foreground_that_says_nothing_more_is_ended_by_the_watchdog(box, service):
    bundle = box.bundle("notify", "READY=1", "pause")
    name = box.new_id()
    started = service("run", "--bundle", bundle.path, name, WatchdogSec="1s")
    assert started.returncode == 0, started.stderr + journal(box, service)
    assert eventually(lambda: shown(box, service, "Result")["Result"] == "watchdog")
    assert eventually(lambda: shown(box, service, "ActiveState")["ActiveState"] == "failed")
    box.call("delete", "--force", name)


def test_a_detached_run_hands_its_payload_over_as_the_main_process(box, service):
    bundle = box.bundle("notify", "sleep", "READY=1", "pause")
    name, pid_file = box.new_id(), box.pid_file()
    started = service("run", "--detach", "--pid-file", pid_file, "--bundle", bundle.path, name,
                      options=[DISABLED])
    assert started.returncode == 0, started.stderr + journal(box, service)
    pid = box.state(name)["pid"]
    assert shown(box, service, "ActiveState", "SubState", "MainPID") \
        == {"ActiveState": "active", "SubState": "running", "MainPID": str(pid)}
    box.must("kill", name, "KILL")
    assert eventually(lambda: shown(box, service, "ActiveState")["ActiveState"] == "failed")


def test_what_is_said_after_a_detached_run_goes_nowhere(box, service):
    """STOPPING and WATCHDOG have nobody to pass them on: the man page says so."""
    bundle = box.bundle("notify", "READY=1", "sleep", "STOPPING=1\nSTATUS=lost", "sleep", "pause")
    name = box.new_id()
    started = service("run", "--detach", "--bundle", bundle.path, name, options=[DISABLED])
    assert started.returncode == 0, started.stderr + journal(box, service)
    time.sleep(1.5)
    assert shown(box, service, "ActiveState", "SubState", "StatusText") \
        == {"ActiveState": "active", "SubState": "running", "StatusText": ""}
    assert box.state(name)["status"] == "running"


def test_a_payload_that_ends_before_it_is_ready_fails_the_service(box, service):
    started = service("run", "--bundle", box.bundle("exit", "7").path, box.new_id())
    assert started.returncode != 0
    assert shown(box, service, "ActiveState", "ExecMainStatus") \
        == {"ActiveState": "failed", "ExecMainStatus": "7"}


def test_a_detached_run_with_a_scope_of_its_own_is_for_the_systems_manager_only(box, service):
    """The manager of a user takes no main process out of another cgroup: the man page says so."""
    bundle = box.bundle("notify", "sleep", "READY=1", "pause")
    name = box.new_id()
    started = service("run", "--detach", "--bundle", bundle.path, name)
    assert started.returncode == 0, started.stderr + journal(box, service)
    state = box.state(name)
    assert state["status"] == "running"
    if box.mode == "root":
        assert shown(box, service, "ActiveState", "MainPID") \
            == {"ActiveState": "active", "MainPID": str(state["pid"])}
    else:
        assert eventually(lambda: shown(box, service, "ActiveState")["ActiveState"] == "inactive")
