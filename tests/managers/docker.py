"""Docker: each runtime below a dockerd of its own, as its default runtime. Needs no
network; without root the suite runs below rootlesskit."""

import importlib
import os
from pathlib import Path

import images
from daemons import Daemon, find_facts, is_rootless, start_containerd
from frame import Explained, Manager, Steps, eventually, require

CONTROL = "runc"
IMAGE = "box:1"
EXPLAINED = [
    Explained("capabilities, seccomp and no-new-privileges", r".*--privileged.*",
              "runc refuses --privileged where the caller itself lacks a capability; coracle gives "
              "those that there are, and says so in its state"),
    Explained("limits: --cpu-shares=512", r".*cpu.weight: \d+",
              "Debian's runc takes 1024 shares, the default, for a weight of 39; coracle for 100, the "
              "kernel's default, as runc does since 1.4"),
    *(Explained(step, r".*/bin/foreign: exit code (1|125)",
                "runc has answered before it executes the program, which then ends with 1; coracle's "
                "start fails with the cause")
      for step in ("run: 127 for a program that is missing, 126 for one that cannot be executed",
                   "bad: the cause arrives")),
]
STEPS = Steps()


class Docker(Manager):
    def open(self):
        for name in ("bin", "home"):
            (self.directory / name).mkdir()
        # What BuildKit in dockerd starts is called runc, whatever the default runtime.
        (self.directory / "bin/runc").symlink_to(self.runtime.path)
        self.env = {**os.environ, "DOCKER_HOST": f"unix://{self.directory}/docker.sock",
                    "HOME": str(self.directory / "home"),
                    "PATH": f"{self.directory}/bin:{os.environ['PATH']}"}
        self.daemons = []
        self.start_daemons()
        tar = self.directory / "box.tar"
        images.make_tar(tar)
        made = self.docker("import", tar, IMAGE)
        require(made.code == 0, f"docker import: {made.err}")

    def start_daemons(self):
        """containerd, and dockerd that answers: it makes no bridge and touches no packet filter."""
        self.daemons = [start_containerd(self.directory, self.env, "")]
        settings = self.directory / "daemon.json"  # not those of /etc/docker
        settings.write_text("{}\n", encoding="utf-8")
        words = ["dockerd", f"--config-file={settings}", f"--host={self.env['DOCKER_HOST']}",
                 f"--containerd={self.directory}/containerd.sock", f"--pidfile={self.directory}/pid",
                 f"--data-root={self.directory}/data", f"--exec-root={self.directory}/exec",
                 f"--exec-opt=native.cgroupdriver={self.options.cgroup_manager}", "--live-restore",
                 "--bridge=none", "--iptables=false", "--ip6tables=false"]
        if is_rootless():
            words.append("--rootless")
        if self.runtime.name != "runc":
            words += [f"--add-runtime={self.runtime.name}={self.runtime.path}",
                      f"--default-runtime={self.runtime.name}"]
        self.daemons.append(Daemon(words, self.directory, self.env,
                                   lambda: self.execute("docker", "version").code == 0))

    def stop_daemons(self, kill=False):
        """They end; shims and containers stay."""
        for daemon in reversed(self.daemons):
            daemon.end(kill)
        self.daemons = []

    def docker(self, *words, **kw):
        """Nothing is recorded."""
        return self.execute("docker", *words, **kw)

    def do(self, *words, stderr=False, **kw):
        """Exit code and output are recorded."""
        return self.note_outcome(f"docker {' '.join(map(str, words))}", self.docker(*words, **kw),
                                 stderr)

    def ran(self, *words, **kw):
        """`docker run --rm WORDS`, recorded; without a network of its own."""
        return self.do("run", "--rm", "--network=none", *words, **kw)

    def shell(self, script, *options, **kw):
        """`docker run --rm OPTIONS IMAGE sh -c SCRIPT`, recorded."""
        outcome = self.docker("run", "--rm", "--network=none", *options, IMAGE, "sh", "-c", script, **kw)
        return self.note_outcome(f"run {' '.join(map(str, options))} … {script[:50]}", outcome)

    def started(self, *options, name="box", command=("sleeper",)):
        """A container called `name` that runs."""
        made = self.docker("run", "--detach", "--network=none", f"--name={name}", *options, IMAGE,
                           *command)
        require(made.code == 0, f"docker run --detach: exit code {made.code}: {made.err.strip()}")
        if command == ("sleeper",):
            eventually(lambda: "ready" in self.docker("logs", name).out, f"{name} is ready")

    def status(self, name="box", form="{{.State.Status}} {{.State.ExitCode}}"):
        """Records what inspect says about `name`."""
        return self.do("inspect", "--type=container", f"--format={form}", name)

    def pid(self, name="box"):
        return int(self.docker("inspect", "--format={{.State.Pid}}", name).out)

    def shim(self, name="box"):
        """The pid of the shim of a running container."""
        stat = Path(f"/proc/{self.pid(name)}/stat").read_text()
        return int(stat.rpartition(")")[2].split()[1])

    def clean(self):
        for name in self.docker("ps", "--all", "--quiet").out.split():
            self.docker("rm", "--force", "--volumes", name)

    def close(self):
        if self.daemons:
            self.clean()
            self.stop_daemons()

    def facts(self):
        return find_facts()


MANAGER = Docker

# Each adds its steps to STEPS.
for part in ("process", "life", "build", "bad"):
    importlib.import_module(f"docker_{part}").add(STEPS.step)
