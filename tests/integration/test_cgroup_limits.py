"""The rows of linux.resources in the files of the kernel and in the properties of the unit."""

import os
import subprocess

import pytest

import cgroups
from cgroups import limited

pytestmark = [pytest.mark.machine("uml"), pytest.mark.place("manager")]
MIB = 1 << 20
FILES = "--cgroup-manager=cgroupfs"
INFINITY = "infinity"


def cpu(**values):
    return {"cpu": values}


def memory(**values):
    return {"memory": values}


# name: (resources, {file: text}, {property: text})
ROWS = {
    "memory": (memory(limit=64 * MIB), {"memory.max": str(64 * MIB)}, {"MemoryMax": str(64 * MIB)}),
    "no memory limit": (memory(limit=-1), {"memory.max": "max"}, {"MemoryMax": INFINITY}),
    "reservation": (memory(reservation=16 * MIB), {"memory.low": str(16 * MIB)},
                    {"MemoryLow": str(16 * MIB)}),
    "pids": ({"pids": {"limit": 17}}, {"pids.max": "17"}, {"TasksMax": "17"}),
    "no pids limit": ({"pids": {"limit": -1}}, {"pids.max": "max"}, {"TasksMax": INFINITY}),
    "shares": (cpu(shares=1024), {"cpu.weight": "100"}, {"CPUWeight": "100"}),
    "few shares": (cpu(shares=2), {"cpu.weight": "1"}, {"CPUWeight": "1"}),
    "many shares": (cpu(shares=262144), {"cpu.weight": "10000"}, {"CPUWeight": "10000"}),
    "512 shares": (cpu(shares=512), {"cpu.weight": "59"}, {"CPUWeight": "59"}),
    "quota": (cpu(quota=50000, period=100000), {"cpu.max": "50000 100000"},
              {"CPUQuotaPerSecUSec": "500ms"}),
    "quota alone": (cpu(quota=20000), {"cpu.max": "20000 100000"},
                    {"CPUQuotaPerSecUSec": "200ms"}),
    "period alone": (cpu(period=50000), {"cpu.max": "max 50000"},
                     {"CPUQuotaPerSecUSec": INFINITY, "CPUQuotaPeriodUSec": "50ms"}),
    "burst": (cpu(quota=50000, period=100000, burst=30000),
              {"cpu.max": "50000 100000", "cpu.max.burst": "30000"}, {}),
    "idle": (cpu(idle=1, shares=1024), {"cpu.idle": "1"}, {}),
    "io weight": ({"blockIO": {"weight": 500}}, {"io.weight": "default 4950"}, {"IOWeight": "4950"}),
    "unified": ({"unified": {"memory.high": str(32 * MIB), "pids.max": "33"}, "pids": {"limit": 5}},
                {"memory.high": str(32 * MIB), "pids.max": "33"},
                {"MemoryHigh": str(32 * MIB), "TasksMax": "33"}),
    "unified weight": ({"unified": {"cpu.weight": "77"}, **cpu(shares=1024)},
                       {"cpu.weight": "77"}, {"CPUWeight": "77"}),
    "oom group": ({"unified": {"memory.oom.group": "1"}}, {"memory.oom.group": "1"}, {}),
}


@pytest.mark.parametrize("manager", ["-s", FILES])
@pytest.mark.parametrize("row", ROWS)
def test_a_limit_is_in_the_file_and_in_the_unit(box, row, manager):
    resources, files, properties = ROWS[row]
    cgroups.require_files(files)
    edit = limited(cgroups.lasting_path(box, manager), **resources)
    container = box.create("pause", edit=edit, before=[manager, "--strict"])
    for name, text in files.items():
        assert cgroups.value(container, name) == text, name
    if manager == "-s":
        shown = cgroups.properties(box, f"coracle-{container.id}.scope", *properties, "Id")
        assert {name: shown[name] for name in properties} == properties


@pytest.mark.modes("user", "root")
def test_systemd_rounds_a_quota_up_and_the_file_follows(box):
    container = box.create("pause", edit=limited(**cpu(quota=12345, period=100000)),
                           before=["-s"])
    assert cgroups.value(container, "cpu.max") == "13000 100000"
    edit = limited(cgroups.lasting_path(box, FILES), **cpu(quota=12345, period=100000))
    container = box.create("pause", edit=edit, before=[FILES])
    assert cgroups.value(container, "cpu.max") == "12345 100000"


@pytest.mark.modes("user", "root")
def test_no_processes_is_a_limit_too(box):
    """0: init is there, and no other may be."""
    def edit(config, mode):
        limited(pids={"limit": 0})(config, mode)
        config["ociVersion"] = "1.3.0"

    container = box.create("pause", edit=edit, before=["-s"])
    assert cgroups.value(container, "pids.max") == "0"
    shown = cgroups.properties(box, f"coracle-{container.id}.scope", "TasksMax")
    assert shown == {"TasksMax": "1"}


@pytest.mark.modes("user", "root")
def test_no_processes_are_no_limit_before_version_1_3(box):
    """podman says 0 of a container without a limit."""
    container = box.create("pause", edit=limited(pids={"limit": 0}), before=["-s"])
    assert cgroups.value(container, "pids.max") == "max"


ABSENT = {
    "cpu/cpus": cpu(cpus="0"),
    "hugepageLimits": {"hugepageLimits": [{"pageSize": "2MB", "limit": 4 * MIB}]},
    "rdma": {"rdma": {"mlx5_1": {"hcaHandles": 3}}},
    "unified": {"unified": {"misc.max": "res 1"}},
}


@pytest.mark.parametrize("member", ABSENT)
def test_a_controller_that_is_not_there_is_named_with_the_cure(box, member):
    resources = ABSENT[member]
    bundle = box.bundle("pause", edit=limited(**resources))
    says = [f"/linux/resources/{member}", "controller", "is not available"]
    if box.mode != "root":
        says += ["/etc/systemd/system/user@.service.d/delegate.conf", "Delegate="]
    result = box.fails("create", "--bundle", bundle.path, box.new_id(), options=["-s"], says=says)
    # With these words podman says that the program of the container was not found.
    assert "no such file" not in result.err.lower(), result
    assert cgroups.units(box) == []
    container = box.create("pause", bundle=bundle, before=["-s", "--rootless=true"])
    degraded = str(box.state(container.id)["degradations"])
    assert f"/linux/resources/{member}" in degraded and "not limited" in degraded


@pytest.mark.machine("systemd")
@pytest.mark.parametrize("limit", [0, -1])
def test_no_limit_needs_no_controller(box, limit):
    """podman --pids-limit=-1 where nobody delegated pids."""
    bundle = box.bundle("exit", "0", edit=limited(pids={"limit": limit}))
    result = box.run(bundle, options=["-s"])
    assert result.rc == 0, result


WITHOUT_V2 = {
    "memory/swappiness": memory(swappiness=10),
    "memory/disableOOMKiller": memory(disableOOMKiller=True),
    "cpu/realtimeRuntime": cpu(realtimeRuntime=1000),
    "network": {"network": {"classID": 1}},
}


@pytest.mark.modes("user")
@pytest.mark.parametrize("member", WITHOUT_V2)
def test_what_only_cgroup_v1_had_is_an_error(box, member):
    bundle = box.bundle("pause", edit=limited(**WITHOUT_V2[member]))
    box.fails("create", "--bundle", bundle.path, box.new_id(), says=[member, "cgroup v2"])


WRONG = {
    "swap below memory": memory(limit=64 * MIB, swap=32 * MIB),
    "swap without memory": memory(swap=64 * MIB),
    "a period too short": cpu(quota=1000, period=10),
    "a period too long": cpu(quota=1000, period=100000000),
    "no such device": {"blockIO": {"throttleReadBpsDevice": [
        {"major": 511, "minor": 1023, "rate": 4096}]}},
    "not a number": {"unified": {"memory.max": "much"}},
    "no file": {"unified": {"memory.nothing": "1"}},
    "no controller": {"unified": {"memory": "1"}},
    "a path": {"unified": {"../memory.max": "1"}},
    "two lines to the parent": {"unified": {"memory.x/../../memory.max": "1"}},
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_limit_is_an_error_and_leaves_nothing(box, wrong):
    bundle = box.bundle("pause", edit=limited(**WRONG[wrong]))
    for manager in ("-s", FILES):
        box.fails("create", "--bundle", bundle.path, box.new_id(), options=[manager])
        assert cgroups.units(box) == []
    assert not [entry for entry in box.leavings() if entry.startswith("cgroup")]


@pytest.mark.modes("user", "root")
def test_the_limits_of_one_are_not_those_of_another(box):
    first = box.create("pause", edit=limited(pids={"limit": 10}), before=["-s"])
    second = box.create("pause", edit=limited(pids={"limit": 20}), before=["-s"])
    assert cgroups.value(first, "pids.max") == "10"
    assert cgroups.value(second, "pids.max") == "20"


# ---- what only some machines have


SWAP = {"both": ((64, 128), "67108864"), "none": ((64, 64), "0"), "all": ((64, -1), "max"),
        "no limit": ((-1, None), "max")}


@pytest.mark.machine("vm")
@pytest.mark.modes("user")
def test_swap_is_what_memory_and_swap_have_beyond_memory(box):
    for (limit, swap), expected in SWAP.values():
        values = {"limit": limit * MIB if limit > 0 else limit}
        if swap is not None:
            values["swap"] = swap * MIB if swap > 0 else swap
        container = box.create("pause", edit=limited(memory=values), before=["-s"])
        assert cgroups.value(container, "memory.swap.max") == expected, values
        shown = cgroups.properties(box, f"coracle-{container.id}.scope", "MemorySwapMax")
        assert shown["MemorySwapMax"] == expected.replace("max", INFINITY)


@pytest.mark.machine("vm")
@pytest.mark.modes("user")
def test_update_keeps_the_sum_of_memory_and_swap(box):
    container = box.create("pause", edit=limited(memory={"limit": 64 * MIB, "swap": 128 * MIB}))
    box.must("update", "--memory", "32M", container.id)
    assert cgroups.value(container, "memory.max") == str(32 * MIB)
    assert cgroups.value(container, "memory.swap.max") == str(96 * MIB)
    box.must("update", "--memory-swap", "40M", container.id)
    assert cgroups.value(container, "memory.swap.max") == str(8 * MIB)
    box.fails("update", "--memory", "64M", container.id, says="memoryswap")
    assert cgroups.value(container, "memory.max") == str(32 * MIB)
    box.must("update", "--memory", "64M", "--memory-swap", "-1", container.id)
    assert cgroups.value(container, "memory.swap.max") == "max"


def first_disk():
    for name in sorted(os.listdir("/sys/block")):
        if not name.startswith(("loop", "ram", "zram", "sr")):
            return cgroups.read(f"/sys/block/{name}/dev")
    return None


@pytest.mark.machine("uml", "vm")
@pytest.mark.modes("user", "root")
def test_the_rates_of_a_disk(box):
    disk = first_disk()
    if not disk:
        pytest.skip("machine: no disk")
    major, minor = map(int, disk.split(":"))
    rates = {"throttleReadBpsDevice": 1 << 20, "throttleWriteIOPSDevice": 50}
    devices = {name: [{"major": major, "minor": minor, "rate": rate}] for name, rate in rates.items()}
    container = box.create("pause", edit=limited(blockIO=devices))
    path = f"{cgroups.directory(container)}/io.max"
    if not os.path.exists(path):
        pytest.skip("machine: its kernel has no io.max")
    assert cgroups.read(path) == f"{disk} rbps=1048576 wbps=max riops=max wiops=50"


# systemd knows nothing of these controllers: root's own cgroups have them.


def made_by_root(box, **resources):
    edit = limited(f"/{box.mark}", **resources)
    return box.create("pause", edit=edit, before=[FILES, "--strict"])


@pytest.mark.machine("vm")
@pytest.mark.modes("root")
def test_huge_pages(box):
    container = made_by_root(box, hugepageLimits=[{"pageSize": "2MB", "limit": 4 * MIB}])
    for name in ("max", "rsvd.max"):
        assert cgroups.value(container, f"hugetlb.2MB.{name}") == str(4 * MIB)


@pytest.fixture
def rdma_device():
    """A device of RDMA that the kernel makes of its loopback interface."""
    for command in ("modprobe rdma_rxe", "ip link set lo up", "rdma link add rxe0 type rxe netdev lo"):
        subprocess.run(command.split(), check=True)
    yield "rxe0"
    subprocess.run("rdma link delete rxe0".split(), check=True)


@pytest.mark.machine("vm")
@pytest.mark.modes("root")
def test_rdma(box, rdma_device):
    container = made_by_root(box, rdma={rdma_device: {"hcaHandles": 3, "hcaObjects": 10000}})
    assert cgroups.value(container, "rdma.max") == "rxe0 hca_handle=3 hca_object=10000"
    bundle = box.bundle("pause", edit=limited(f"/{box.mark}-1", rdma={"none": {"hcaHandles": 3}}))
    box.fails("create", "--bundle", bundle.path, box.new_id(), options=[FILES],
              says=["/linux/resources/rdma", "none"])


def weight_of(disk, weight):
    major, minor = map(int, disk.split(":"))
    return {"weightDevice": [{"major": major, "minor": minor, "weight": weight}]}


# Each of these disks stays as it has been made: tests run at once, and the machine is thrown away.


@pytest.fixture
def bfq():
    """The number of a disk whose scheduler is BFQ."""
    subprocess.run(["modprobe", "bfq"], check=True)
    cgroups.write("/sys/block/vdb/queue/scheduler", "bfq")
    return cgroups.read("/sys/block/vdb/dev")


@pytest.mark.machine("vm")
@pytest.mark.modes("user", "root")
@pytest.mark.parametrize("manager", ["-s", FILES])
def test_the_weight_of_a_disk_with_bfq(box, bfq, manager):
    weights = {"weight": 300, **weight_of(bfq, 700)}
    edit = limited(cgroups.lasting_path(box, manager), blockIO=weights)
    container = box.create("pause", edit=edit, before=[manager, "--strict"])
    assert cgroups.value(container, "io.weight").startswith("default 2930")
    # systemd, when it writes them again, has another scale: 357 and 724.
    default, one = cgroups.value(container, "io.bfq.weight").split("\n")
    assert default in ("default 300", "default 357")
    assert one in (f"{bfq} 700", f"{bfq} 724")
    if manager == "-s":
        shown = cgroups.properties(box, f"coracle-{container.id}.scope", "IODeviceWeight")
        assert shown == {"IODeviceWeight": f"/dev/block/{bfq} 6970"}


@pytest.fixture
def weighed_disk():
    """The number of a disk for which io.weight counts."""
    disk = cgroups.read("/sys/block/vda/dev")
    cgroups.write("/sys/fs/cgroup/io.cost.qos", f"{disk} enable=1")
    return disk


@pytest.mark.machine("vm")
@pytest.mark.modes("user", "root")
def test_the_weight_of_one_disk(box, weighed_disk):
    weights = weight_of(weighed_disk, 505)
    container = box.create("pause", edit=limited(blockIO=weights), before=["-s"])
    assert cgroups.value(container, "io.weight") == f"default 100\n{weighed_disk} 5000"


@pytest.mark.machine("vm")
@pytest.mark.modes("user", "root")
def test_the_weight_of_a_disk_that_has_none(box):
    disk = cgroups.read("/sys/block/vdc/dev")
    bundle = box.bundle("pause", edit=limited(blockIO=weight_of(disk, 505)))
    box.fails("create", "--bundle", bundle.path, box.new_id(), options=["-s"],
              says=["/linux/resources/blockIO/weightDevice", "BFQ", "io.cost.qos"])
    assert cgroups.units(box) == []
