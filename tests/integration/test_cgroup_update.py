"""update: limits of a living container are changed, all that were asked for or with an error none."""

import json
import os

import pytest

import cgroups
import machines
from cgroups import limited

pytestmark = [pytest.mark.machine("uml"), pytest.mark.place("manager")]
MIB = 1 << 20
FILES = "--cgroup-manager=cgroupfs"
managers = pytest.mark.parametrize("manager", ["-s", FILES])
START = {"memory": {"limit": 64 * MIB, "swap": 128 * MIB}, "pids": {"limit": 50},
         "cpu": {"quota": 50000, "period": 100000, "shares": 1024}}
WATCHED = ("memory.max", "memory.low", "memory.swap.max", "pids.max", "cpu.max", "cpu.weight",
           "cpu.max.burst", "cpu.idle", "io.weight")


def values(container):
    directory = cgroups.directory(container)
    return {name: cgroups.read(f"{directory}/{name}") for name in WATCHED
            if os.path.exists(f"{directory}/{name}")}


def create(box, manager="-s"):
    path = cgroups.lasting_path(box, manager)
    return box.create("pause", edit=limited(path, **START), before=[manager])


OPTIONS = {
    "--memory 33554432": ({"memory.max": str(32 * MIB)}, {"MemoryMax": str(32 * MIB)}),
    "--memory 32M --memory-swap -1": ({"memory.max": str(32 * MIB)}, {"MemoryMax": str(32 * MIB)}),
    "--memory-reservation 8388608": ({"memory.low": str(8 * MIB)}, {"MemoryLow": str(8 * MIB)}),
    "--pids-limit 7": ({"pids.max": "7"}, {"TasksMax": "7"}),
    "--pids-limit -1": ({"pids.max": "max"}, {"TasksMax": "infinity"}),
    "--cpu-quota 20000": ({"cpu.max": "20000 100000"}, {"CPUQuotaPerSecUSec": "200ms"}),
    "--cpu-period 50000": ({"cpu.max": "50000 50000"}, {"CPUQuotaPerSecUSec": "1s"}),
    "--cpu-quota 20000 --cpu-period 200000": ({"cpu.max": "20000 200000"},
                                              {"CPUQuotaPerSecUSec": "100ms"}),
    "--cpu-quota -1": ({"cpu.max": "max 100000"}, {"CPUQuotaPerSecUSec": "infinity"}),
    "--cpu-share 2048": ({"cpu.weight": "174"}, {"CPUWeight": "174"}),
    "--cpu-burst 10000": ({"cpu.max.burst": "10000"}, {}),
    "--cpu-idle 1": ({"cpu.idle": "1"}, {}),
    "--blkio-weight 500": ({"io.weight": "default 4950"}, {"IOWeight": "4950"}),
    "--kernel-memory 1000000": ({}, {}),
}


@managers
@pytest.mark.parametrize("options", OPTIONS)
def test_each_option(box, options, manager):
    files, properties = OPTIONS[options]
    cgroups.require_files(files)
    container = create(box, manager)
    before = values(container)
    box.must("update", *options.split(), container.id)
    touched = set(files) | ({"memory.swap.max"} if "--memory " in options else set()) \
        | ({"cpu.weight"} if "idle" in options else set())
    after = values(container)
    assert {name: after[name] for name in files} == files
    assert {k: v for k, v in after.items() if k not in touched} == \
        {k: v for k, v in before.items() if k not in touched}
    if manager == "-s":
        shown = cgroups.properties(box, f"coracle-{container.id}.scope", *properties, "Id")
        assert {name: shown[name] for name in properties} == properties


@managers
@pytest.mark.parametrize("source", ["file", "-"])
def test_a_document(box, source, manager):
    container = create(box, manager)
    document = json.dumps({"pids": {"limit": 9}, "memory": {"limit": 48 * MIB, "swap": 96 * MIB}})
    path = os.path.join(box.dir, "resources.json")
    with open(path, "w", encoding="ascii") as file:
        file.write(document)
    os.chmod(path, 0o644)
    with open(path, "rb") as stdin:
        # The options beside it are not heard.
        box.must("update", "--pids-limit", "3", "--resources", path if source == "file" else "-",
                 container.id, stdin=stdin)
    assert cgroups.value(container, "pids.max") == "9"
    assert cgroups.value(container, "memory.max") == str(48 * MIB)
    assert values(container)["cpu.max"] == "50000 100000"


BAD = {
    "--cpu-period 1 --pids-limit 3": "",
    "--memory 32M --memory-swap 64M --cpu-share 512 --cpu-period 1": "",
    "--pids-limit 3 --memory 32M --cpuset-cpus 0": "cpuset",
    "--cpu-period 100000000": "",
    "--memory 32M --memory-swap 16M": "swap",
    "--memory -5": "memory",
    "--memory much": "--memory",
    "--memory 256M": "memoryswap",
    "--blkio-weight 5": "weight",
    "--cpu-rt-runtime 1000": "cpu/realtimeRuntime",
    "--cpu-rt-period 1000": "cpu/realtimePeriod",
    "--cpuset-cpus 0-x": "cpu",
    "--l3-cache-schema L3:0=f": "Intel RDT",
    "--pids-limit many": "pids-limit",
}


@managers
@pytest.mark.parametrize("options", BAD)
def test_what_is_wrong_changes_nothing(box, options, manager):
    container = create(box, manager)
    before = values(container)
    result = box.call("update", *options.split(), container.id)
    assert result.rc != 0 and BAD[options].lower() in result.err.lower(), result
    assert values(container) == before
    if manager == "-s":
        shown = cgroups.properties(box, f"coracle-{container.id}.scope", "TasksMax", "MemoryMax")
        assert shown == {"TasksMax": "50", "MemoryMax": str(64 * MIB)}


@pytest.mark.parametrize("document", ["", "{", "[]", '{"pids": {"limit": "x"}}',
                                      '{"unified": {"../x": "1"}}', '{"memory": {"swap": 5}}'])
def test_a_wrong_document_changes_nothing(box, document):
    container = create(box)
    before = values(container)
    path = os.path.join(box.dir, "wrong.json")
    with open(path, "w", encoding="ascii") as file:
        file.write(document)
    os.chmod(path, 0o644)
    box.fails("update", "--resources", path, container.id)
    assert values(container) == before


@managers
def test_check_before_update(box, manager):
    container = create(box, manager)
    before = values(container)
    document = {"memory": {"limit": 4096, "swap": 4096, "checkBeforeUpdate": True}}
    path = os.path.join(box.dir, "check.json")
    with open(path, "w", encoding="ascii") as file:
        json.dump(document, file)
    os.chmod(path, 0o644)
    box.fails("update", "--resources", path, container.id, says=["memory", "checkBeforeUpdate"])
    assert values(container) == before and os.path.exists(f"/proc/{container.pid}")


@pytest.mark.parametrize("verb", ["daemon-reload", "daemon-reexec"])
def test_values_survive_a_reload_of_systemd(box, verb):
    if verb == "daemon-reexec" and box.mode == "root":
        pytest.skip("machine: the systemd of the machine is not replaced under its tests")
    container = create(box)
    box.must("update", "--pids-limit", "23", "--memory", "40M", "--cpu-quota", "12345",
             container.id)
    before = values(container)
    assert before["pids.max"] == "23" and before["cpu.max"] == "13000 100000"
    assert cgroups.systemctl(box, verb).returncode == 0
    other = box.create("pause", before=["-s"])  # makes systemd write files of the slice
    assert values(container) == before
    box.must("delete", "--force", other.id)
    assert values(container) == before


def test_limits_are_changed_while_it_is_paused(box):
    container = box.start("pause", edit=limited(**START))
    box.must("pause", container.id)
    box.must("update", "--pids-limit", "11", container.id)
    assert container.status() == "paused" and cgroups.value(container, "pids.max") == "11"
    box.must("resume", container.id)


@pytest.mark.modes("user")
def test_without_a_cgroup_there_is_nothing_to_change(box):
    assert machines.NAME == "uml"
    container = box.create("pause", before=["--cgroup-manager=disabled"])
    box.fails("update", "--pids-limit", "5", container.id, says="no cgroup of its own")
