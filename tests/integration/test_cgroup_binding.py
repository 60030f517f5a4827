"""The limits bind: what a container may not have it does not get."""

import contextlib
import glob
import os
import shutil
import tempfile
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
    script = "echo ready; b() { b | b & }; (b) & exec /bin/guest pause"
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
    path = cgroups.lasting_path(box, manager)
    bundle = box.bundle("pause", edit=limited(path, cpu={"cpus": "1", "mems": "0"}))
    container = box.create(bundle=bundle, before=[manager])
    assert cgroups.value(container, "cpuset.cpus") == "1"
    assert cgroups.value(container, "cpuset.cpus.effective") == "1"
    assert cgroups.value(container, "cpuset.mems") == "0"
    with open(f"/proc/{container.pid}/status", encoding="ascii") as file:
        assert "Cpus_allowed_list:\t1\n" in file.read()
    box.must("update", "--cpuset-cpus", "0", container.id)
    assert cgroups.value(container, "cpuset.cpus.effective") == "0"
    if manager == "-s":
        shown = cgroups.properties(box, f"coracle-{container.id}.scope", "AllowedCPUs", "AllowedMemoryNodes")
        assert shown == {"AllowedCPUs": "0", "AllowedMemoryNodes": "0"}
    box.fails("update", "--cpuset-cpus", "77", container.id)
    assert cgroups.value(container, "cpuset.cpus") == "0"


@pytest.mark.machine("vm")  # an execve out of memory ends User Mode Linux itself
def test_too_little_memory_is_an_error_that_leaves_nothing(box):
    """From 64 KiB to 8 MiB: below what a start takes init is killed, or the program (137)."""
    ended = []
    for step in range(1, 33):
        limit = 64 * 1024 + (8 * MIB - 64 * 1024) * (step - 1) // 31
        bundle = box.bundle("exit", "7", edit=limited(memory={"limit": limit, "swap": limit}))
        result = box.run(bundle)
        assert result.rc in (1, 7, 137), (limit, result)
        assert result.rc != 1 or len(result.err.splitlines()) == 1, (limit, result)
        ended.append(result.rc)
    assert ended[0] != 7 and ended[-1] == 7, ended
    assert cgroups.units(box) == [] and box.must("list", "--quiet").out == ""


def is_watched(container):
    """Whether somebody has its memory.events open."""
    path = f"{cgroups.directory(container)}/memory.events"
    for link in glob.glob("/proc/[0-9]*/fd/*"):
        with contextlib.suppress(OSError):
            if os.readlink(link) == path:
                return True
    return False


def test_who_was_killed_for_want_of_memory_is_told_by_state_and_events(box):
    script = "echo ready; read x; (" + EAT.format(22) + "); echo rc $?; exec /bin/guest pause"
    container = start(box, script.replace("read x; ", "while [ ! -e /go ]; do sleep 0.1; done; "),
                      memory={"limit": 16 * MIB, "swap": 16 * MIB})
    container.wait_for("ready")
    with tempfile.TemporaryFile() as out:
        events = box.runtime.popen(box.runtime.argv("events", "--interval", "1h", container.id),
                                   out, out)
        assert eventually(lambda: is_watched(container))
        with open(f"{container.bundle.rootfs}/go", "w", encoding="ascii"):
            pass
        assert eventually(lambda: "rc " in container.out, 20)
        box.must("kill", container.id, "KILL")
        assert events.wait(20) == 0
        out.seek(0)
        assert b'"type":"oom"' in out.read()
    assert eventually(lambda: container.status() == "stopped")
    kills = box.state(container.id).get("oomKills")
    assert kills is None or kills >= 1  # the cgroup of a scope goes when its last process does


@pytest.mark.modes("root")
def test_a_stopped_container_whose_cgroup_is_there_tells_its_kills(box):
    script = EAT.format(22)
    bundle = box.bundle(edit=shell(script, memory={"limit": 16 * MIB, "swap": 16 * MIB}),
                        busybox=True)
    container = box.create(bundle=bundle, before=["--cgroup-manager=cgroupfs"])
    box.must("start", container.id)
    assert eventually(lambda: container.status() == "stopped", 20)
    assert box.state(container.id)["oomKills"] >= 1


def test_the_rate_of_a_disk_binds(box):
    """A mebibyte at half of one a second, past the cache."""
    place = tempfile.mkdtemp(dir="/var/tmp")
    try:
        os.chown(place, box.host_uid or 0, -1)
        number = os.stat(place).st_dev
        if os.major(number) == 0:
            pytest.skip("machine: /var/tmp is not on a disk")
        rate = {"major": os.major(number), "minor": os.minor(number), "rate": MIB // 2}

        def edit(config, bundle):
            shell("dd if=/dev/zero of=/disk/file bs=64k count=16 oflag=direct 2>/dev/null; "
                  "echo written", blockIO={"throttleWriteBpsDevice": [rate]})(config, bundle)
            config["mounts"].append({"destination": "/disk", "source": place, "type": "bind",
                                     "options": ["rbind", "rw"]})

        begin = time.monotonic()
        result = box.run(box.bundle(edit=edit, busybox=True))
        assert result.rc == 0 and "written" in result.out
        assert os.path.getsize(f"{place}/file") == MIB
        assert time.monotonic() - begin > 1
    finally:
        shutil.rmtree(place)


@pytest.mark.machine("vm")
def test_the_weight_of_a_disk(box):
    """10 to 1000 as 1 to 10000, where the kernel has no BFQ."""
    container = box.create("pause", edit=limited(blockIO={"weight": 505}))
    assert cgroups.value(container, "io.weight") == "default 5000"
    box.must("update", "--blkio-weight", "10", container.id)
    assert cgroups.value(container, "io.weight") == "default 1"
