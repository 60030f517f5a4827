"""The test machines are what their tests take them for: user managers, delegation, controllers."""

import os
import subprocess

import pytest

import harness
import machines
from harness import eventually

pytestmark = pytest.mark.machine("systemd", "uml", "vm")
both_users = pytest.mark.parametrize("user", machines.USERS)
# Of the user manager's own cgroup. On the systemd machine it depends on the host's use of cgroup v1.
CONTROLLERS = {"uml": {"cpu", "io", "memory", "pids"},
               "vm": {"cpu", "cpuset", "io", "memory", "pids"}}
EAT = "import os; block = bytearray(os.urandom(64 << 10) * 1024); print('alive')"


def call(command, user="tester"):
    """Of a user with nothing but a runtime directory, as a manager calls a runtime; or of root."""
    before = [] if user == "root" else machines.as_user(machines.USERS[user])
    return subprocess.run([*before, *command], check=False, text=True, capture_output=True,
                          timeout=harness.TIMEOUT)


def output(command, user="tester"):
    result = call(command, user)
    assert result.returncode == 0, f"{command}: {result.stdout}{result.stderr}"
    return result.stdout.strip()


def run_unit(command, *options, user="tester"):
    """A transient service of the user's manager, or of the system's for root."""
    scope = [] if user == "root" else ["--user"]
    return call(["systemd-run", *scope, "--wait", "--pipe", "--collect", *options, *command], user)


def managers_cgroup(user):
    uid = machines.USERS[user]
    return f"/sys/fs/cgroup/user.slice/user-{uid}.slice/user@{uid}.service"


def read(path):
    with open(path, encoding="ascii") as file:
        return file.read().strip()


def test_the_hierarchy_is_that_of_cgroup_v2_alone():
    assert output(["stat", "--file-system", "--format=%T", "/sys/fs/cgroup"]) == "cgroup2fs"
    assert read("/proc/1/comm") == "systemd"


def test_no_unit_of_the_system_has_failed():
    assert output(["systemctl", "--failed", "--no-legend", "--plain"], "root") == ""


@both_users
def test_the_bus_of_the_user_answers(user):
    assert "org.freedesktop.systemd1" in output(["busctl", "--user", "list", "--no-legend"], user)
    assert output(["systemctl", "--user", "is-system-running"], user) == "running"


@both_users
def test_a_user_can_delegate_a_scope_to_itself(user):
    """The cgroup of the scope is the user's own: it can be divided."""
    inside = "d=/sys/fs/cgroup$(sed -n s/^0:://p /proc/self/cgroup); mkdir $d/part && echo $d"
    made = output(["systemd-run", "--user", "--scope", "--quiet", "--property=Delegate=yes",
                   "sh", "-c", inside], user)
    assert made.startswith(managers_cgroup(user)) and made.endswith(".scope")


@both_users
def test_users_have_ranges_of_ids(user):
    for file in ("/etc/subuid", "/etc/subgid"):
        assert f"{user}:" in open(file, encoding="ascii").read()
    maps = output(["unshare", "--map-auto", "--map-root-user", "cat", "/proc/self/uid_map"], user)
    sizes = [int(line.split()[2]) for line in maps.splitlines()]
    assert sizes[0] == 1 and sizes[1] >= 65535


def test_users_do_not_reach_each_other():
    assert call(["ls", "/run/user/1001"], "other").returncode == 0
    assert os.path.isdir(managers_cgroup("other"))
    assert call(["ls", "/run/user/1001"]).returncode != 0
    assert call(["mkdir", f"{managers_cgroup('other')}/intruder"]).returncode != 0


@pytest.mark.machine("uml", "vm")
@both_users
def test_the_controllers_are_delegated(user):
    assert CONTROLLERS[machines.NAME] <= set(
        read(f"{managers_cgroup(user)}/cgroup.controllers").split())


@pytest.mark.machine("uml", "vm")
@pytest.mark.parametrize("user", ["root", *machines.USERS])
def test_a_limit_of_memory_kills(user):
    limited = run_unit(["python3", "-c", EAT], "--property=MemoryMax=32M",
                       "--property=MemorySwapMax=0", user=user)
    assert limited.returncode != 0 and "oom-kill" in limited.stderr and not limited.stdout
    assert run_unit(["python3", "-c", EAT], user=user).stdout == "alive\n"


@pytest.mark.machine("uml", "vm")
def test_a_limit_of_processes_refuses():
    script = "sleep 5 & sleep 5 & sleep 5 & echo all"
    assert "all" in run_unit(["sh", "-c", script]).stdout
    limited = run_unit(["sh", "-c", script], "--property=TasksMax=2")
    assert "all" not in limited.stdout, limited


@pytest.mark.machine("vm")
def test_a_unit_can_be_kept_to_a_processor():
    assert os.cpu_count() == 2
    assert run_unit(["nproc"]).stdout == "2\n"
    assert run_unit(["nproc"], "--property=AllowedCPUs=1").stdout == "1\n"


def test_a_delegated_cgroup_can_be_frozen():
    cgroup = machines.directory("manager", machines.USERS["tester"])
    for value in ("1", "0"):
        output(["sh", "-c", f"echo {value} >{cgroup}/cgroup.freeze"])
        assert eventually(lambda: f"frozen {value}" in read(f"{cgroup}/cgroup.events"))


PLACES = [("session", "/user.slice/user-1000.slice/session-", ".scope"),
          ("manager", "/user.slice/user-1000.slice/user@1000.service/app.slice/", ".service"),
          ("service", "/system.slice/", ".service")]


@pytest.mark.parametrize("mode", ["user", "userns-root"])
@pytest.mark.parametrize("place,start,end", PLACES, ids=[place for place, _, _ in PLACES])
def test_a_runtime_can_be_started_in_each_place(make_box, mode, place, start, end):
    box = make_box(mode, place=place)
    prefix = box.runtime.prefix[:-1]
    made = output([*prefix, "cat", "/proc/self/cgroup"], "root").splitlines()[-1]
    assert made.startswith(f"0::{start}") and made.endswith(end)
    mine = output([*prefix, "id", "--user"], "root")
    assert mine == ("1000" if mode == "user" else "0")


@pytest.mark.place("manager")
@pytest.mark.modes("user")
def test_the_marker_chooses_the_place(box):
    assert box.place == "manager"


def test_a_container_runs(box):
    assert box.output("echo", "one") == "one\n"


def test_containers_of_two_users_at_once(make_box):
    boxes = [make_box("user", user=user) for user in machines.USERS]
    containers = [box.start("pause") for box in boxes]
    for box, container in zip(boxes, containers):
        assert os.stat(f"/proc/{container.pid}").st_uid == box.uid
        box.must("kill", container.id, "KILL")
        container.wait_stopped()
        box.must("delete", container.id)
