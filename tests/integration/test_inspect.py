"""`inspect`: what a living container has, against what was asked for."""

import json
import os
import subprocess

import pytest

from harness import eventually

pytestmark = pytest.mark.machine("native", "systemd")


def look(box, container, *args, rc=0, **kw):
    result = box.call("inspect", "--json", *args, container.id, **kw)
    assert result.rc == rc and result.err == "", result
    report = json.loads(result.out)
    assert report["pid"] == container.pid
    return {line["name"]: line for line in report["lines"]}


def differing(lines):
    return sorted(name for name, line in lines.items() if line["match"] == "differs")


def test_a_container_that_has_what_was_asked_for(box):
    container = box.start("pause")
    lines = look(box, container)
    assert differing(lines) == [], lines
    uid = box.host_uid if box.mode == "user" else 0
    assert lines["uid"]["found"] == lines["uid"]["asked"] == str(uid)
    assert lines["no_new_privs"]["found"] == "yes"
    assert lines["capabilities effective"]["found"] == \
        "CAP_KILL,CAP_NET_BIND_SERVICE,CAP_AUDIT_WRITE"
    assert lines["RLIMIT_NOFILE"]["found"] == "1024 1024"
    assert lines["RLIMIT_NOFILE"]["match"] == "equal"
    assert lines["seccomp"]["found"] == "none"
    assert lines["namespace pid"]["asked"] == "new"
    assert "shared" not in lines["namespace pid"]["found"]
    assert lines["mount /sys"]["found"].startswith("sysfs ro,nosuid,nodev,noexec")
    assert {"fd 0", "fd 1", "fd 2", "cgroup", "oom_score_adj", "AppArmor"} <= set(lines)
    assert lines["namespace time"]["found"].endswith("shared with the caller")
    out = box.must("inspect", container.id).out
    assert f"pid {container.pid}\n" in out and "\nequal       uid: " in out


@pytest.mark.modes("user")
def test_root_looks_at_the_container_of_a_user(box):
    if os.geteuid() != 0:
        pytest.skip("machine: needs root")
    container = box.start("pause")
    as_user = box.runtime.prefix
    box.runtime.prefix = [box.runtime.path]
    try:
        lines = look(box, container)
        # To read is all that it may.
        box.fails("kill", container.id, "KILL", says=f"owner {box.uid}")
    finally:
        box.runtime.prefix = as_user
    assert lines["uid"]["found"] == str(box.uid)
    assert lines["uid_map"]["match"] == "equal"


@pytest.mark.modes("user")
def test_another_user_sees_nothing(box):
    if os.geteuid() != 0:
        pytest.skip("machine: needs a second user")
    container = box.start("pause")
    other = str(box.uid + 1)
    done = subprocess.run(["setpriv", f"--reuid={other}", f"--regid={other}", "--clear-groups",
                           box.runtime.path, "--root", box.runtime.root, "inspect", container.id],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "permission denied" in done.stderr, done


HOSTILE = r"""
d="$(printf '/tmp/x\nequal y: \033[2J')"; mkdir -p "$d"; mount -t tmpfs t "$d"
mount -t tmpfs t /dev/shm
printf 'a\nSeccomp:\t2\033[1m' > /proc/self/comm
ulimit -n 77
exec 9>"/tmp/$(printf 'f\033[31m\nequal')"
exec 1>&9
echo ready >&2
while :; do sleep 1000; done
"""


def test_what_a_payload_changed_is_told_and_what_it_named_is_escaped(box):
    def edit(config, _):
        config["process"]["args"] = ["/bin/sh", "-c", HOSTILE]
        for names in config["process"]["capabilities"].values():
            names += ["CAP_SYS_ADMIN"]

    container = box.create(bundle=box.bundle(edit=edit, busybox=True))
    box.must("start", container.id)
    assert eventually(lambda: "ready" in container.created.err), container.created
    result = box.call("inspect", container.id)
    assert result.rc == 3, result
    assert "\x1b" not in result.out
    for line in result.out.splitlines()[1:]:
        assert line[:12] in ("equal       ", "differs     ", "unreadable  ", " " * 12), line
    lines = look(box, container, rc=3)
    assert lines["RLIMIT_NOFILE"]["match"] == "differs"
    assert lines["RLIMIT_NOFILE"]["found"].startswith("77 ")
    assert lines["seccomp"]["found"] == "none"
    assert "\\" in lines["program"]["found"]
    assert "nosuid" in lines["mount /dev/shm"]["asked"]
    assert lines["mount /dev/shm"]["match"] == "differs"
    [extra] = [name for name in lines if name.startswith("mount /tmp/x")]
    assert "not in the configuration" in lines[extra]["why"]


def test_a_descriptor_that_leads_out_of_the_container_is_told(box):
    # A shell has fd 3 to give; the one of this process is the test runner's.
    opened = ["sh", "-c", 'exec 3<"$0"; exec "$@"', box.directory("outside")]
    container = box.create("pause", options=["--preserve-fds", "1"], wrap=opened)
    box.must("start", container.id)
    container.wait_for("ready")
    lines = look(box, container, rc=3)
    assert differing(lines) == ["fd 3"]
    assert "leads out of the container" in lines["fd 3"]["why"]


def test_what_is_not_started_has_no_program_to_look_at(box):
    container = box.create("pause")
    lines = look(box, container)
    assert "not been executed" in lines["process"]["why"]
    assert box.call("inspect", container.id, options=["--strict"]).rc == 3


def test_what_does_not_live_is_an_error(box):
    box.fails("inspect", "none", says="does not exist")
    container = box.start("pause")
    box.must("kill", container.id, "KILL")
    container.wait_stopped()
    result = box.fails("inspect", container.id, says="is not running")
    assert result.rc == 1


def test_a_mount_that_was_taken_away_differs(box):
    def edit(config, _):
        config["process"]["args"] = ["/bin/sh", "-c", "umount /dev/shm; echo ready; sleep 1000"]
        config["process"]["env"] = ["PATH=/bin"]
        for names in config["process"]["capabilities"].values():
            names += ["CAP_SYS_ADMIN"]

    bundle = box.bundle(edit=edit, busybox=True)
    for name in ("umount", "sleep"):
        bundle.symlink(f"bin/{name}", "busybox")
    container = box.create(bundle=bundle)
    box.must("start", container.id)
    container.wait_for("ready")
    lines = look(box, container, rc=3)
    assert differing(lines) == ["mount /dev/shm"]
    assert lines["mount /dev/shm"]["found"] == "none"
