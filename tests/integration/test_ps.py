"""`ps` of a container that has no cgroup: its pid namespace tells its processes."""

import json
import os
import signal

import pytest

from harness import eventually

WITHOUT = ["--cgroup-manager=disabled"]
SHELL = "sleep 1000 & unshare -p -f sleep 1000 & echo ready; exec sleep 1000"


def pids(box, container):
    return json.loads(box.must("ps", "--format", "json", container.id).out)


def test_the_processes_are_those_of_the_pid_namespace_and_below(box):
    def edit(config, _):
        config["process"]["args"] = ["/bin/sh", "-c", SHELL]
        for names in config["process"]["capabilities"].values():
            names += ["CAP_SYS_ADMIN"]

    other = box.start("pause", before=WITHOUT)
    container = box.create(bundle=box.bundle(edit=edit, busybox=True), before=WITHOUT)
    assert pids(box, container) == [container.pid]
    box.must("start", container.id)
    container.wait_for("ready")
    assert eventually(lambda: len(pids(box, container)) == 4), pids(box, container)
    assert container.pid in pids(box, container) and other.pid not in pids(box, container)
    table = box.must("ps", container.id, "-o", "pid,comm").out.splitlines()
    assert table[0].split() == ["PID", "COMMAND"] and len(table) == 5
    box.must("kill", other.id, "KILL")


def end(pid):
    """Of a child of this process, which the kernel waits for when the pid namespace ends."""
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


@pytest.mark.modes("root", "userns-root")
def test_another_user_of_the_container_is_listed_too(box):
    container = box.start("pause", before=WITHOUT)
    box.must("exec", "--detach", "--user", "1000:1000", container.id, "/bin/guest", "pause")
    listed = pids(box, container)
    assert len(listed) == 2
    listed.remove(container.pid)
    end(listed[0])


@pytest.mark.modes("root", "userns-root")
def test_a_pid_namespace_of_another_is_not_taken_for_its_own(box):
    first = box.start("pause", before=WITHOUT)

    def edit(config, _):
        for space in config["linux"]["namespaces"]:
            if space["type"] == "pid":
                space["path"] = f"/proc/{first.pid}/ns/pid"

    second = box.create("pause", before=WITHOUT, edit=edit)
    box.fails("ps", second.id, says="no cgroup of its own")
    assert second.pid in pids(box, first)
    end(second.pid)
