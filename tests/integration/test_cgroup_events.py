"""What `events` prints, and that a failed creation does not stop another container's scope."""

import json
import time

import pytest

import cgroups
from cgroups import at
from harness import eventually

pytestmark = pytest.mark.machine("systemd", "uml")


def begin_events(box, container, *options):
    out = f"{box.dir}/events"
    with open(out, "wb") as file:
        process = box.runtime.popen(box.runtime.argv("events", *options, container.id), file, file)
    return process, lambda: [json.loads(line) for line in open(out, encoding="utf-8")]


def test_statistics_once(box):
    container = box.start("pause")

    def has_used_time():
        box.must("exec", container.id, "/bin/guest", "exit", "0")
        return cgroups.key(container, "cpu.stat", "usage_usec") > 0

    assert eventually(has_used_time)
    result = box.must("events", "--stats", container.id)
    event = json.loads(result.out)
    assert result.out.count("\n") == 1
    assert event["type"] == "stats" and event["id"] == container.id
    assert event["data"]["cpu"]["usage"]["total"] > 0
    assert {"cpuset", "pids", "blkio", "hugetlb", "intel_rdt", "network_interfaces"} <= set(event["data"])


def test_openmetrics(box):
    container = box.start("pause")
    lines = box.must("events", "--stats", "--format", "openmetrics", container.id).out.splitlines()
    assert lines[-1] == "# EOF"
    label = f'{{id="{container.id}",mode="user"}}'
    assert any(line.startswith("coracle_container_cpu_seconds_total" + label) for line in lines)


def test_the_stream_ends_with_the_container(box):
    container = box.start("pause")
    process, events = begin_events(box, container, "--interval", "50ms")
    assert eventually(lambda: len(events()) >= 3)
    assert process.poll() is None
    box.must("kill", container.id, "KILL")
    container.wait_status()
    assert process.wait(10) == 0
    assert {event["type"] for event in events()} == {"stats"}


def test_a_container_that_has_stopped_has_no_statistics(box):
    container = box.start("pause")
    box.must("kill", container.id, "KILL")
    container.wait_status()
    assert eventually(lambda: container.status() == "stopped")
    box.fails("events", "--stats", container.id, says="is not running")


@pytest.mark.parametrize("options", [["--interval", "0s"], ["--interval", "5"], ["--interval", "x"],
                                     ["--interval", "-1s"], ["--format", "openmetrics"]])
def test_a_wrong_call_is_an_error(box, options):
    assert box.fails("events", *options, "any").rc == 2


def test_a_creation_that_fails_leaves_a_scope_of_its_name_alone(box):
    path = f"user.slice:same:{box.mark}"
    first = box.start("pause", edit=at(path))

    def edit(config, where):
        at(path)(config, where)
        config["linux"]["netDevices"] = {"nosuch0": {}}  # looked for while systemd is at work

    for _ in range(5):
        box.fails("create", "--bundle", box.bundle("pause", edit=edit).path, box.new_id())
    time.sleep(0.2)
    assert first.status() == "running"
