"""What people do every day (tests/everyday), done by a plain user in a sandbox."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading

import pytest

import harness
import id_ranges
from test_id_maps import make_host

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../everyday"))

import table  # pylint: disable=wrong-import-position
import tasks  # pylint: disable=wrong-import-position

pytestmark = pytest.mark.modes("user")
# What dpkg calls, and what the task does.
PROGRAMS = ("dpkg", "dpkg-deb", "dpkg-split", "dpkg-query", "sh", "tar", "rm", "diff", "cat", "stat", "chown",
            "ldconfig", "start-stop-daemon")


def is_of_a_root(task):
    return "{root}" in task.coracle


def fill(words, names):
    for name, value in names.items():
        words = [word.replace("{%s}" % name, value) for word in words]
    return words


@pytest.fixture
def in_memory(box):
    """A state root on tmpfs, which secrets want."""
    with tempfile.TemporaryDirectory(prefix="coracle-it-", dir="/dev/shm") as path:
        box.give(path)
        yield path
        assert set(os.listdir(path)) <= {".filters"}


def do(box, task, names, **kw):
    for program in task.needs:
        if not shutil.which(program, path=table.PATH):
            pytest.skip(f"{program} is not installed")
    home = box.directory("home")
    work = os.path.join(home, "work")
    os.makedirs(work + "/out")
    tasks.write(home, ".ssh/id", "key", 0o600)
    task.prepare(work)
    id_ranges.give_tree(home, box.uid)
    names = {"work": work, "home": home, **names}
    result = box.call("sandbox", *fill(task.coracle, names), "--", *fill(task.command, names), cwd=work,
                      env={**box.runtime.env, "HOME": home, "PATH": table.PATH}, **kw)
    assert result.rc == task.code, result.out + result.err
    assert not task.check or task.check(work, result.out) == "", result
    assert harness.eventually(lambda: box.leavings() == []), box.leavings()


@pytest.mark.parametrize("task", [task for task in table.TASKS if not is_of_a_root(task)],
                         ids=lambda task: task.name)
def test_it_is_done(box, task, in_memory):
    with socket.create_server(("127.0.0.1", 0)) as server:
        def greet():
            with server.accept()[0] as client:
                client.sendall(b"greets")
        threading.Thread(target=greet, daemon=True).start()
        port = server.getsockname()[1]
        do(box, task, {"port": str(port)}, root=False, options=["--root", in_memory])
        if "{port}" not in "".join(task.command):
            socket.create_connection(("127.0.0.1", port)).close()


def copy_program(root, name):
    """A program of the host with the libraries that it wants."""
    path = shutil.which(name, path=table.PATH)
    assert path, f"{name} is not installed"
    wanted = subprocess.run(["ldd", path], capture_output=True, text=True, check=False).stdout
    for source in [path, *(word for word in wanted.split() if word.startswith("/"))]:
        target = root + source.replace("/lib", "/usr/lib", source.startswith("/lib"))
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copy(source, target)


def make_root(directory):
    """A root file system with dpkg(1) and nothing installed, of the host's programs."""
    for path in ("bin", "sbin", "lib", "lib64"):
        os.makedirs(f"{directory}/usr/{path}")
        os.symlink(f"usr/{path}", f"{directory}/{path}")
    for path in ("etc", "tmp", "mnt", "proc", "sys", "dev", "run", "var/lib/dpkg/info",
                 "var/lib/dpkg/updates", "var/lib/dpkg/triggers", "var/log"):
        os.makedirs(f"{directory}/{path}")
    for program in PROGRAMS:
        copy_program(directory, program)
    for name in ("status", "available"):
        tasks.write(directory, f"var/lib/dpkg/{name}", "")
    tasks.write(directory, "etc/passwd", "root:x:0:0::/root:/bin/sh\nwww-data:x:33:33::/:/bin/sh\n")
    tasks.write(directory, "etc/group", "root:x:0:\nwww-data:x:33:\n")
    shutil.copy("/etc/debian_version", f"{directory}/etc")


@pytest.mark.parametrize("task", [task for task in table.TASKS if is_of_a_root(task)],
                         ids=lambda task: task.name)
def test_it_is_done_in_a_root_of_its_own(box, task):
    host = make_host(box, f"{{name}}:{id_ranges.FIRST}:{id_ranges.COUNT}\n")
    root = box.directory("root")
    make_root(root)
    id_ranges.give_tree(root, box.uid)  # who is root in it
    do(box, task, {"root": root}, wrap=host.wrap)
