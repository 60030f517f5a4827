"""The limits bind: what a container may not have it does not get."""

import time

import pytest

import cgroups
from cgroups import limited
from harness import eventually

pytestmark = [pytest.mark.machine("uml", "vm"), pytest.mark.place("manager"),
              pytest.mark.modes("user", "root")]
MIB = 1 << 20
# Holds as much as it is told in a shell's variable.
EAT = "x=0123456789abcdef; i=0; while [ $i -lt {} ]; do x=$x$x; i=$((i+1)); done; echo had it"


def shell(script, **resources):
    """An edit: /bin/sh runs `script` under these limits."""
    def edit(config, bundle):
        limited(**resources)(config, bundle)
        config["process"]["args"] = ["/bin/sh", "-c", script]
    return edit


def start(box, script, **resources):
    container = box.create(bundle=box.bundle(edit=shell(script, **resources), busybox=True))
    box.must("start", container.id)
    return container


def test_who_takes_more_memory_is_killed(box):
    script = "echo ready; (" + EAT.format(22) + "); echo rc $?; exec /bin/guest pause"
    container = start(box, script, memory={"limit": 16 * MIB, "swap": 16 * MIB})
    assert eventually(lambda: "rc " in container.out, 20)
    assert "had it" not in container.out
    assert cgroups.key(container, "memory.events", "oom_kill") >= 1
    assert container.status() == "running"
    assert cgroups.key(container, "memory.events", "max") >= 1


def test_who_takes_less_memory_is_not(box):
    script = EAT.format(16) + "; exec /bin/guest pause"
    container = start(box, script, memory={"limit": 64 * MIB, "swap": 64 * MIB})
    container.wait_for("had it")
    assert cgroups.key(container, "memory.events", "oom_kill") == 0


def test_with_its_group_all_of_it_is_killed(box):
    script = "(" + EAT.format(22) + "); echo outlived it; exec /bin/guest pause"
    container = start(box, script, memory={"limit": 16 * MIB, "swap": 16 * MIB},
                      unified={"memory.oom.group": "1"})
    assert eventually(lambda: container.status() == "stopped", 20)
    assert "outlived it" not in container.out


def test_a_fork_bomb_stops(box):
    script = "echo ready; b() { b | b & }; b; exec /bin/guest pause"
    container = start(box, script, pids={"limit": 20})
    assert eventually(lambda: cgroups.key(container, "pids.events", "max") > 0, 10)
    for _ in range(10):
        assert int(cgroups.value(container, "pids.current")) <= 20
        time.sleep(0.05)
    box.must("delete", "--force", container.id)
    assert cgroups.units(box) == []


@pytest.mark.parametrize("limit", [1, 2])
def test_with_a_limit_of_one_nothing_is_forked(box, limit):
    """The shell of busybox ends when it cannot fork."""
    container = start(box, "echo ready; (echo other); echo end", pids={"limit": limit})
    assert eventually(lambda: container.status() == "stopped")
    assert ("other\nend" in container.out) == (limit == 2), container.out


@pytest.mark.machine("uml")
def test_cpu_time_is_bounded(box):
    """A tenth of a processor: in two seconds 0.2 s, and what is begun."""
    container = start(box, "echo ready; while :; do :; done", cpu={"quota": 10000, "period": 100000})
    container.wait_for("ready")
    begin, clock = cgroups.key(container, "cpu.stat", "usage_usec"), time.monotonic()
    time.sleep(2)
    used = cgroups.key(container, "cpu.stat", "usage_usec") - begin
    share = used / 1e6 / (time.monotonic() - clock)
    assert 0.01 < share < 0.2
    assert cgroups.key(container, "cpu.stat", "nr_throttled") > 0


@pytest.mark.machine("vm")
@pytest.mark.parametrize("manager", ["-s", "--cgroup-manager=cgroupfs"])
def test_a_cpuset_leaves_one_processor(box, manager):
    bundle = box.bundle("pause", edit=limited(cpu={"cpus": "1", "mems": "0"}))
    container = box.create(bundle=bundle, before=[manager])
    assert cgroups.value(container, "cpuset.cpus") == "1"
    assert cgroups.value(container, "cpuset.cpus.effective") == "1"
    with open(f"/proc/{container.pid}/status", encoding="ascii") as file:
        assert "Cpus_allowed_list:\t1\n" in file.read()
    box.must("update", "--cpuset-cpus", "0", container.id)
    assert cgroups.value(container, "cpuset.cpus.effective") == "0"
    if manager == "-s":
        shown = cgroups.properties(box, f"coracle-{container.id}.scope", "AllowedCPUs")
        assert shown == {"AllowedCPUs": "0"}
    box.fails("update", "--cpuset-cpus", "77", container.id)
    assert cgroups.value(container, "cpuset.cpus") == "0"
