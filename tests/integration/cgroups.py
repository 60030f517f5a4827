"""Cgroups of containers as the host sees them, and their units as systemctl(1) does."""

import errno
import os
import subprocess

import pytest

import machines

# Natively the controllers are those of cgroup v1, and cgroup v2 is beside them.
MOUNT = "/sys/fs/cgroup/unified" if machines.NATIVE else "/sys/fs/cgroup"
TESTER = "/user.slice/user-1000.slice/user@1000.service"


def managers_cgroup(box):
    """Of the systemd that makes the scopes of this box."""
    return TESTER.replace("1000", str(box.host_uid)) if box.host_uid else ""


def default_slice(box):
    return managers_cgroup(box) + ("/user.slice" if box.host_uid else "/system.slice")


def scope_of(box, unit):
    return f"{default_slice(box)}/{unit}.scope"


def of(pid):
    return machines.cgroup_of(pid)


def path_of(container):
    """The member of `state`."""
    return container.box.state(container.id)["cgroup"]


def directory(container):
    path = path_of(container)
    assert path.startswith("/"), path
    return MOUNT + path


def read(path):
    with open(path, encoding="ascii") as file:
        return file.read().strip()


def value(container, name):
    return read(f"{directory(container)}/{name}")


def key(container, name, word):
    """That of a flat keyed file, such as memory.events."""
    lines = dict(line.split() for line in value(container, name).splitlines())
    return int(lines[word])


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def processes(cgroup):
    """Of a cgroup's directory and all below it; one that goes meanwhile has none."""
    found = []
    for base, _, _ in os.walk(cgroup):
        try:
            found += [int(pid) for pid in read(f"{base}/cgroup.procs").split()]
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENODEV):
                raise
    return sorted(found)


def systemctl(box, *args):
    """Of the systemd of whose units the containers of this box are: its result."""
    before = machines.as_user(box.host_uid) if box.host_uid else []
    scope = ["--user"] if box.host_uid else []
    return subprocess.run([*before, "systemctl", *scope, *args], check=False, text=True,
                          capture_output=True, timeout=60)


def properties(box, unit, *names):
    shown = systemctl(box, "show", *(f"--property={name}" for name in names), unit)
    assert shown.returncode == 0, shown.stderr
    return dict(line.split("=", 1) for line in shown.stdout.splitlines())


def is_loaded(box, unit):
    return properties(box, unit, "LoadState")["LoadState"] == "loaded"


def units(box, mark=None):
    """Those whose name has the mark of the box."""
    listed = systemctl(box, "list-units", "--all", "--plain", "--no-legend", "--full")
    names = [line.split()[0] for line in listed.stdout.splitlines() if line]
    return [name for name in names if (mark or box.mark) in name]


def at(path):
    """An edit of a config: its cgroupsPath."""
    def edit(config, _):
        config["linux"]["cgroupsPath"] = path
    return edit


def limited(path=None, **resources):
    """An edit of a config: its linux.resources, and a cgroupsPath."""
    def edit(config, _):
        config["linux"]["resources"] = resources
        if path is not None:
            config["linux"]["cgroupsPath"] = path
    return edit


def lasting_path(box, manager):
    """A cgroupsPath below which the controllers stay; None: the default is one. systemd takes a
    controller from a slice when none of its units needs it any more, though a cgroup that root has
    made there does; the user's manager always needs it."""
    by_root = box.mode == "root" and "cgroupfs" in manager
    return f"/{box.mark}-{len(box.ids)}" if by_root else None


def require_files(names):
    """Skips on a machine whose kernel lacks one."""
    for name in names:
        if not os.path.exists(f"{MOUNT}{TESTER}/{name}"):
            pytest.skip(f"machine: its kernel has no {name}")


class Cgroup:
    """A cgroup of somebody else, with a process in it if `busy`."""

    def __init__(self, path, busy=True):
        self.path = MOUNT + path
        os.makedirs(self.path, exist_ok=True)
        self.process = None
        if busy:
            self.process = subprocess.Popen(["sleep", "infinity"])
            write(f"{self.path}/cgroup.procs", str(self.process.pid))

    def is_alive(self):
        return self.process.poll() is None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process:
            self.process.kill()
            self.process.wait()
        if os.path.isdir(self.path):
            os.rmdir(self.path)
