"""What a test leaves behind is found: a test of the harness, which all others rely on."""

import os
import subprocess

import pytest

import residue
from harness import Remover, eventually

pytestmark = pytest.mark.modes("root")


def start(*, env=None, cwd="/", argv=("sleep", "60"), uid=None):
    """A daemon: a child of a process that has ended, in a session of its own."""
    script = 'unset PWD; setsid "$@" </dev/null >/dev/null 2>&1 & echo $!'
    text = subprocess.run(["sh", "-c", script, "sh", *argv], check=True, capture_output=True, text=True,
                          env={"PATH": os.environ["PATH"], **(env or {})}, cwd=cwd, user=uid).stdout
    return int(text)


def is_found(box, word):
    return eventually(lambda: [text for text in box.leavings() if word in text], 5)


KINDS = {
    "its environment": lambda box: {"env": {"MARK": box.mark}},
    "its arguments": lambda box: {"argv": ("sh", "-c", "sleep 60; :", box.mark)},
    "its cwd": lambda box: {"cwd": box.dir},
    "its uid": lambda box: {"uid": 46999},
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_process_is_found(box, kind):
    box.host_uid = 46999 if kind == "its uid" else box.host_uid
    assert not box.leavings()
    pid = start(**KINDS[kind](box))
    try:
        assert is_found(box, f"process {pid} "), f"not found by {kind}"
        assert is_found(box, kind)
    finally:
        residue.end_processes([(pid, "")])
        residue.reap_children()


def test_a_mount_in_another_namespace_is_found(box):
    path = box.directory("mounted")
    # By a link, lest the arguments give it away.
    link = f"/tmp/residue-{os.getpid()}"
    os.symlink(path, link)
    script = f"mount -t tmpfs none $(readlink {link}) && exec sleep 60"
    pid = start(argv=("unshare", "--mount", "--propagation", "private", "sh", "-c", script))
    try:
        assert is_found(box, "its mounts")
    finally:
        os.unlink(link)
        residue.end_processes([(pid, "")])
        residue.reap_children()


def test_a_mount_is_found(box):
    path = box.directory("mounted")
    subprocess.run(["mount", "-t", "tmpfs", "none", path], check=True)
    try:
        assert is_found(box, "mount ")
    finally:
        subprocess.run(["umount", path], check=True)


@pytest.mark.parametrize("where", ["state", "pids", "bundle"])
def test_a_file_is_found(box, where):
    bundle = box.bundle("exit", "0")
    path = os.path.join(bundle.path if where == "bundle" else os.path.join(box.dir, where), "left")
    with open(path, "w", encoding="ascii"):
        pass
    assert is_found(box, f"file {path}")
    os.unlink(path)


def test_a_cgroup_is_found(box):
    base = "/sys/fs/cgroup"
    if not os.path.exists(f"{base}/cgroup.procs"):
        base = next(entry.path for entry in os.scandir(base)
                    if os.path.exists(f"{entry.path}/cgroup.procs"))
    path = f"{base}/left-{box.mark}"
    os.mkdir(path)
    try:
        assert is_found(box, f"cgroup {path}")
    finally:
        os.rmdir(path)


def test_close_ends_what_it_finds(box):
    pid = start(env={"MARK": box.mark})
    left = box.close()
    assert any(f"process {pid} " in text for text in left), left
    assert residue.process_state(pid) == ""


def test_who_is_older_than_the_test_is_not_looked_at_but_at_the_end_of_all(box):
    pid = start(env={"MARK": box.mark})
    try:
        began = box.began
        eventually(lambda: residue.now() > residue.start_time(pid))
        box.began = residue.now()
        assert not box.leavings()
        assert residue.find_processes(box.mark, box.dir, 0)
        box.began = began
        assert is_found(box, f"process {pid} ")
    finally:
        residue.end_processes([(pid, "")])
        residue.reap_children()


def test_a_very_deep_tree_is_removed(box):
    path = box.directory("deep")
    fd = os.open(path, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=fd)
        below = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(fd)
    remover = Remover()
    remover.take(path)
    remover.begin()
    remover.wait()
    assert not os.path.exists(path)
