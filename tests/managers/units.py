"""Units of systemd that run the runtime by hand: notification, sockets."""

import os
import socket

import images
from frame import Explained, Manager, Steps, eventually

CONTROL = "crun"
EXPLAINED = [
    Explained("a socket that systemd has opened", r"answer: served|not so: ConnectionResetError.*",
              "with crun 1.8 nobody answers on the socket"),
]
STEPS = Steps()
step = STEPS.step


class Units(Manager):
    number = 0

    def open(self):
        self.env = dict(os.environ)
        self.user = [] if os.getuid() == 0 else ["--user"]
        self.unit = ""

    def bundle(self, *args, edit=None):
        Units.number += 1
        self.name = f"units{os.getpid()}n{Units.number}"
        self.unit = f"{self.name}.service"

        def with_host(config):
            config["mounts"].append({"destination": "/usr", "type": "bind", "source": "/usr", "options": ["rbind", "ro"]})
            if edit:
                edit(config)
        return images.make_bundle(self.directory / self.name, *args, edit=with_host)

    def start(self, bundle, *properties):
        """A service that runs the bundle in the foreground."""
        flags = ["--cgroup-manager=disabled"] if self.runtime.name != "runc" else []
        return self.execute(
            "systemd-run", *self.user, "--quiet", f"--unit={self.unit}", "--property=Delegate=yes",
            *(f"--property={word}" for word in properties),
            self.runtime.path, *flags, "run", f"--bundle={bundle}", self.name)

    def control(self, *words):
        return self.execute("systemctl", *self.user, *words)

    def show(self, word):
        return self.control("show", "--value", f"--property={word}", self.unit).out.strip()

    def clean(self):
        if self.unit:
            self.control("stop", self.unit)
            self.control("reset-failed", self.unit)
            self.execute(self.runtime.path, "delete", "--force", self.name)


MANAGER = Units


@step("Type=notify: ready when the container says so", quick=True)
def _(units):
    bundle = units.bundle("sh", "-c", "/usr/bin/systemd-notify --ready --status=working; exec sleeper")
    units.note_outcome("start", units.start(bundle, "Type=notify", "NotifyAccess=all", "TimeoutStartSec=20"))
    units.note("active", units.show("ActiveState"))
    units.note("the main process is the container's", os.path.exists(f"/proc/{units.show('MainPID')}/root/bin/sleeper"))
    units.note_outcome("stop", units.control("stop", units.unit))
    units.note("state", units.show("ActiveState"))


@step("Type=notify: one that never says so fails", quick=True)
def _(units):
    bundle = units.bundle("sh", "-c", "exit 3")
    units.note("start", units.start(bundle, "Type=notify", "NotifyAccess=all", "TimeoutStartSec=20").code)
    units.note("result", units.show("Result"))


@step("Type=exec: the exit code is the container's", quick=True)
def _(units):
    bundle = units.bundle("sh", "-c", "exit 4")
    units.start(bundle, "Type=exec")
    eventually(lambda: units.show("ActiveState") == "failed", "it ends")
    units.note("exit code", units.show("ExecMainStatus"))


@step("a socket that systemd has opened", quick=True)
def _(units):
    bundle = units.bundle("/usr/bin/python3", "-c",
                          "import os, socket; assert os.environ['LISTEN_FDS'] == '1'; s = socket.socket(fileno=3); c, _ = s.accept(); c.sendall(b'served\\n')")
    path = units.directory / "door"
    flags = ["--cgroup-manager=disabled"] if units.runtime.name != "runc" else []
    made = units.execute(
        "systemd-run", *units.user, "--quiet", f"--unit={units.name}", "--property=Delegate=yes",
        f"--socket-property=ListenStream={path}", units.runtime.path, *flags, "run", f"--bundle={bundle}", units.name)
    units.note_outcome("socket unit", made)
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(str(path))
        units.note("answer", client.recv(100).decode())
    units.control("stop", f"{units.name}.socket")
