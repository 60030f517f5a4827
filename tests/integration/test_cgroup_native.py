"""Directories of cgroupfs on a host that has cgroup v1 too, where cgroup v2 has no controllers."""

import json
import os

import pytest

import bundles
import cgroups
from cgroups import at, limited
from harness import eventually

pytestmark = [pytest.mark.machine("native"), pytest.mark.modes("root")]


@pytest.fixture(autouse=True)
def needs_hybrid_hierarchy():
    if not os.path.isdir(cgroups.MOUNT):
        pytest.skip("machine: not a hybrid hierarchy")


@pytest.mark.parametrize("path", ["", "/MARK", "MARK", "/MARK/a"])
def test_a_container_has_a_directory(box, path):
    container = box.start("children", "2", edit=at(path.replace("MARK", box.mark)))
    directory = cgroups.directory(container)
    assert cgroups.of(container.pid) == cgroups.path_of(container)
    assert len(cgroups.processes(directory)) == 3
    box.must("pause", container.id)
    assert container.status() == "paused"
    box.must("resume", container.id)
    assert len(json.loads(box.must("ps", "--format", "json", container.id).out)) == 3
    box.must("delete", "--force", container.id)
    assert not os.path.exists(directory)
    if path.endswith("/a"):
        os.rmdir(os.path.dirname(directory))


def test_systemd_is_said_not_to_be_there(box):
    container = box.create("pause", before=["-s"])
    text = json.dumps(box.state(container.id))
    assert "systemd" in text and box.state(container.id)["cgroup"] != ""


def test_a_limit_is_an_error_that_names_cgroup_v1(box):
    bundle = box.bundle("pause", edit=limited(memory={"limit": 1 << 26}))
    box.fails("create", "--bundle", bundle.path, box.new_id(),
              says=["/linux/resources/memory/limit", "systemd.unified_cgroup_hierarchy=1"])
    assert not [entry for entry in box.leavings() if entry.startswith("cgroup")]
    container = box.create("pause", bundle=bundle, before=["--rootless=true"])
    assert "/linux/resources/memory/limit" in str(box.state(container.id)["degradations"])


def test_kill_all_reaches_what_has_left_init(box):
    def edit(config, _):
        bundles.drop_namespace(config, "pid")

    container = box.start("children", "3", edit=edit)
    directory = cgroups.directory(container)
    os.kill(container.pid, 9)
    container.wait_stopped()
    assert len(cgroups.processes(directory)) == 3
    box.must("kill", "--all", container.id, "KILL")
    assert eventually(lambda: not cgroups.processes(directory))


def test_a_populated_cgroup_is_not_taken_and_an_empty_one_is(box):
    with cgroups.Cgroup(f"/{box.mark}") as other:
        bundle = box.bundle("pause", edit=at(f"/{box.mark}"))
        box.fails("create", "--bundle", bundle.path, box.new_id(), says="is not empty")
        assert other.is_alive()
