"""containerd and its runc v2 shim, by ctr and by CRI. Needs curl for CRI, and no network.

Each runtime is below a containerd of its own; without root the suite runs below rootlesskit.
"""

import importlib
import os
from pathlib import Path

import cri
import images
from daemons import find_facts, is_rootless, start_containerd
from frame import Explained, Manager, Steps, eventually, require

CONTROL = "runc"
IMAGE = "localhost/box:1"
EXPLAINED = []
if is_rootless():
    EXPLAINED.append(Explained("tasks: ls, ps, pause, resume, metrics, kill, delete", r"ps: [23]",
                               "without root runc leaves an exec in the caller's cgroup, if that is a login "
                               "session's; coracle has systemd move it"))
STEPS = Steps()
CRI = """[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/box:1"
  stream_server_port = "0"
  disable_apparmor = true
  disable_hugetlb_controller = true
  tolerate_missing_hugetlb_controller = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    default_runtime_name = "tested"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.tested]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.tested.options]
        BinaryName = "{path}"
        SystemdCgroup = {systemd}
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{directory}/cni"
    conf_dir = "{directory}/cni"
"""


class Containerd(Manager):
    def open(self):
        self.env = {**os.environ}
        self.socket = self.directory / "containerd.sock"
        self.daemon = None
        self.start_daemon()
        images.make_tar(self.directory / "box.tar")
        images.make_archive(self.directory / "image.tar", self.directory / "box.tar", IMAGE)
        for namespace in ("default", "k8s.io"):
            made = self.ctr("--namespace", namespace, "image", "import", self.directory / "image.tar")
            require(made.code == 0, f"ctr image import: {made.err}")

    def start_daemon(self):
        self.daemon = start_containerd(self.directory, self.env, CRI.format(
            path=self.runtime.path, directory=self.directory,
            systemd=str(self.options.cgroup_manager == "systemd").lower()))

    def stop_daemon(self, kill=False):
        """It ends; shims and containers stay."""
        self.daemon.end(kill)
        self.daemon = None

    def ctr(self, *words, **kw):
        """Nothing is recorded."""
        return self.execute("ctr", "--address", self.socket, *words, **kw)

    def do(self, *words, stderr=False, **kw):
        """Exit code and output are recorded."""
        return self.note_outcome(f"ctr {' '.join(map(str, words))}", self.ctr(*words, **kw), stderr)

    def options_of_run(self, name="c", slice_name="lab.slice"):
        """This runtime, this cgroup manager, and no limit that the host has no controller for."""
        words = ["--runc-binary", self.runtime.path]
        if self.options.cgroup_manager == "systemd":
            words += ["--runc-systemd-cgroup", "--cgroup", f"{slice_name}:lab:{name}"]
        return words if "cpu" in self.facts() else [*words, "--cpu-shares", "0"]

    def run(self, *words, options=(), name="c", **kw):
        """`ctr run --rm`; nothing is recorded."""
        return self.ctr("run", "--rm", *self.options_of_run(name), *options, IMAGE, name, *words, **kw)

    def ran(self, *words, options=(), **kw):
        """`ctr run --rm`, recorded."""
        outcome = self.run(*words, options=options, **kw)
        label = self.plain(" ".join(map(str, (*options, *words))))
        return self.note_outcome(f"run {label[:70]}", outcome)

    def started(self, *options, name="c", command=("/bin/sleeper",)):
        """A container called `name` whose task runs."""
        made = self.ctr("run", "--detach", "--null-io", *self.options_of_run(name), *options, IMAGE,
                        name, *command)
        require(made.code == 0, f"ctr run --detach: {made.err.strip()}")

    def exec(self, *words, options=(), name="c", **kw):
        """`ctr tasks exec`, recorded."""
        self.execs = getattr(self, "execs", 0) + 1
        outcome = self.ctr("tasks", "exec", "--exec-id", f"e{self.execs}", *options, name, *words, **kw)
        return self.note_outcome(f"exec {' '.join(map(str, (*options, *words)))[:60]}", outcome)

    def task(self, name="c"):
        """PID and status of the task `name`, None if there is none."""
        for line in self.ctr("tasks", "ls").out.splitlines():
            words = line.split()
            if words[0] == name:
                return int(words[1]), words[2]
        return None

    def wait_for(self, status, name="c"):
        eventually(lambda: (self.task(name) or (0, ""))[1] == status, f"{name} is {status}")

    def shim(self, name="c"):
        stat = Path(f"/proc/{self.task(name)[0]}/stat").read_text()
        return int(stat.rpartition(")")[2].split()[1])

    def cri(self, method, fields, seconds=60):
        """An Answer; nothing is recorded."""
        answer = cri.call(self.socket, method, fields, seconds)
        if answer.code:
            self.said.append(f"{method}: {answer.error}")
        return answer

    def clean(self):
        for line in self.ctr("tasks", "ls", "--quiet").out.split():
            self.ctr("tasks", "rm", "--force", line)
        for line in self.ctr("containers", "ls", "--quiet").out.split():
            self.ctr("containers", "rm", line)
        for pod in self.cri("ListPodSandbox", {}).fields.get(1, []):
            name = cri.read_message(pod)[1][0].decode()
            self.cri("StopPodSandbox", {1: name})
            self.cri("RemovePodSandbox", {1: name})

    def close(self):
        if self.daemon:
            self.clean()
            self.stop_daemon()

    def facts(self):
        return find_facts()


MANAGER = Containerd

# Each adds its steps to STEPS.
for part in ("tasks", "cri", "bad"):
    importlib.import_module(f"containerd_{part}").add(STEPS.step)
