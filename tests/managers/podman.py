"""podman, rootless or rootful, as the caller is."""

import importlib
import json
import os
import resource
import shutil
from pathlib import Path

import images
from frame import Explained, Manager, Steps, eventually, require

CONTROL = "crun"
IMAGE = "localhost/box:1"
FAILS_IN_START = ("the kernel refuses the program in the runtime's start, which says why and fails, so that podman "
                  "ends with 126; crun's start has succeeded by then, and the container ends with 1")
CORE = "crun makes /dev/core, which the specification does not name"
EXPLAINED = [
    # crun 1.8 gives the terminal of an exec to nobody; runc gives it to the user, as coracle does.
    Explained("exec -it: a terminal with its size", r".*--user=1000.*",
              "crun leaves the terminal of an exec to root, so that another user cannot open it"),
    Explained("exec: what cannot be started", r".*/bin/foreign: exit code (255|126|1)",
              "255 is what runc's manual gives to an exec that fails"),
    Explained("run: 127 for a program that is missing, 126 for one that cannot be executed",
              r".*/bin/foreign.*", FAILS_IN_START),
    Explained("bad: a program that is missing, not executable, for another machine",
              r"run /bin/foreign: .*", FAILS_IN_START),
    Explained("bad: a program without its interpreter or loader", r"a .*: (126|127|1)", FAILS_IN_START),
    Explained("run --privileged: devices and mounts", r".*ls /dev.*", CORE),
    Explained("run: the mounts of a container", r".*find /dev.*", CORE),
    Explained("run: the mounts of a container", r".*: /(proc|sys)/[^ ]* (tmpfs|proc|sysfs) .*",
              "what is masked or read-only also has nosuid, nodev and noexec, or is the host's null device"),
    Explained("run: the mounts of a container", r".*: /dev/[a-z]* (tmpfs|devtmpfs) .*",
              "flags of a bound device: noexec says nothing about a device"),
    Explained("run --cgroups", r"podman exec c .*: (libpod-ID.scope|container)",
              "crun puts the process into a cgroup of its own below the scope, coracle and runc do not"),
    Explained("limits that nobody delegated name their cause", r"--memory=64m: exit code 12[67]|the controller is named: .*",
              "crun calls a missing memory controller a missing file, for which podman says 127"),
    Explained("run --cgroups", r"run --cgroups=disabled .*: (0|exit code (0|126|125))",
              "runc has no --cgroup-manager=disabled, which podman passes"),
    Explained("limits that nobody delegated name their cause", r"--[a-z-]*=[0-9.]*: exit code 12[67]",
              "runc calls a missing controller a missing file, for which podman says 127"),
    Explained("limits: cpu", r".*cpu.weight.*: [0-9]+",
              "the curve of newer runtimes: 1024 shares are the weight 100"),
    Explained("limits: pids", r"run --pids-limit=(-1|0) .*: (max|[0-9]+)",
              "runc leaves systemd's own limit where the caller wants none"),
    Explained("limits: io", r".*: exit code 12[67]", "crun calls a missing io.weight a missing file"),
    Explained("run --volume :idmap", r".*-rw-r--r--    1 (0|65534)", "runc 1.1 ignores idmap"),
    Explained("bad: the state directory is full", r"run: names .*: (True|False)",
              "runc 1.1 does not say what is full"),
    Explained("bad: podman is killed at any point of run", r"left with the runtime: ID|left with the runtime:",
              "podman loses a container whose creation it did not live to record; it waits for its start"),
]
# With --cgroup-manager=cgroupfs and without root.
WITHOUT_SCOPE = [Explained(step, ".*", "crun makes no cgroup there, so that nothing is paused, counted or limited; "
                                       "coracle asks the user's systemd for a scope")
                 for step in ("pause, unpause", "stop, rm of a paused container", "kill: many processes go",
                              "top, ps, inspect, port, diff, cp", "run --cgroups",
                              "limits that nobody delegated name their cause", "pods: shared namespaces")]
WITHOUT_SCOPE.append(Explained("run --cgroup-parent", ".*--cgroup-parent=/managers .*: (0|exit code (1|126))",
                               "a parent that the user may not divide: crun fails, a container of coracle stays in "
                               "the caller's cgroup, which its state says"))
STEPS = Steps()


class Podman(Manager):
    SAME = ((r"(Less than a|[0-9]+) seconds? ago", "NOW"),)

    def open(self):
        for name in ("storage", "run", "tmp"):
            (self.directory / name).mkdir()
        configuration = self.directory / "containers.conf"
        name, path = self.runtime.name, self.runtime.path
        limits = [(word, resource.getrlimit(which)) for word, which in
                  (("nofile", resource.RLIMIT_NOFILE), ("nproc", resource.RLIMIT_NPROC))]
        words = [f"{word}={min(soft, 4096)}:{min(soft, 4096)}" for word, (soft, _) in limits if soft > 0]
        configuration.write_text(
            f'[containers]\ndefault_ulimits = {json.dumps(words)}\n'
            f'{"" if "pids" in self.controllers() else "pids_limit = 0"}\n'
            f'[engine]\nruntime = "{name}"\ncgroup_manager = "{self.options.cgroup_manager}"\n'
            f'events_logger = "file"\n'
            f'runtime_supports_json = ["{name}"]\nruntime_supports_nocgroup = ["{name}"]\n'
            f'infra_image = "{IMAGE}"\ninfra_command = "/bin/sleeper"\n'
            f'[engine.runtimes]\n{name} = ["{path}"]\n', encoding="utf-8")
        self.env = {**os.environ, "CONTAINERS_CONF": str(configuration)}
        tar = self.directory / "box.tar"
        images.make_tar(tar)
        made = self.podman("import", "--change=CMD=sleeper",
                           "--change=ENV=PATH=/bin", tar, IMAGE)
        require(made.code == 0, f"podman import: {made.err}")

    def podman(self, *words, **kw):
        """podman with the suite's storage; nothing is recorded."""
        return self.execute(*self.command(), *words, **kw)

    def do(self, *words, stderr=False, **kw):
        """podman with the suite's storage; exit code and output are recorded."""
        return self.note_outcome(f"podman {' '.join(map(str, words))}", self.podman(*words, **kw),
                                 stderr)

    def command(self):
        return ["podman", "--root", self.directory / "storage", "--runroot",
                self.directory / "run", "--tmpdir", self.directory / "tmp"]

    def ran(self, *words, **kw):
        """`podman run --rm WORDS`, recorded; without a network of its own."""
        return self.do("run", "--rm", "--network=none", *words, **kw)

    def shell(self, script, *options, **kw):
        """`podman run --rm OPTIONS IMAGE sh -c SCRIPT`, recorded."""
        outcome = self.podman("run", "--rm", "--network=none", *options, IMAGE, "sh", "-c", script, **kw)
        return self.note_outcome(f"run {' '.join(map(str, options))} … {script[:50]}", outcome)

    def started(self, *options, name="c", command=("sleeper",)):
        """A container called `name` that runs."""
        made = self.podman("run", "--detach", "--network=none", f"--name={name}", *options, IMAGE,
                           *command)
        require(made.code == 0, f"podman run --detach: exit code {made.code}: {made.err.strip()}")
        if command == ("sleeper",):
            eventually(lambda: "ready" in self.podman("logs", name).out, f"{name} is ready")

    def status(self, name="c", form="{{.State.Status}} {{.State.ExitCode}}"):
        """Records what inspect says about `name`."""
        return self.do("inspect", "--type=container", f"--format={form}", name)

    def clean(self):
        self.podman("rm", "--all", "--force", "--time=0")

    def close(self):
        # A podman that was killed may have lost a container that waits for its start.
        try:
            left = json.loads(self.execute(self.runtime.path, "list", "--format=json").out) or []
        except ValueError:
            left = []
        for container in left:
            if container["bundle"].startswith(str(self.directory)):
                self.execute(self.runtime.path, "delete", "--force", container["id"])
        self.execute("pkill", "-KILL", "-f", f"^/usr/bin/conmon .*{self.directory}")
        self.podman("system", "reset", "--force")

    def controllers(self):
        own = next(line[3:] for line in Path("/proc/self/cgroup").read_text().splitlines()
                   if line.startswith("0::"))
        place = f"/user.slice/user-{os.getuid()}.slice/user@{os.getuid()}.service" if os.getuid() else ""
        files = [Path(f"/sys/fs/cgroup{path}/cgroup.controllers") for path in (place, own)]
        return next((set(file.read_text().split()) for file in files if file.exists()), set())

    def facts(self):
        """Controllers that the caller may use; `systemd`; `cgroup v2 alone`; `root` or `rootless`;
        `cgroups of pods`, for which podman as root asks for controllers where it makes them itself."""
        facts = self.controllers()
        if os.getuid() or self.options.cgroup_manager == "systemd" or {"cpu", "memory", "pids"} <= facts:
            facts.add("cgroups of pods")
        if shutil.which("catatonit") or shutil.which("docker-init"):
            facts.add("catatonit or docker-init")
        if Path(f"/run/user/{os.getuid()}/systemd" if os.getuid() else "/run/systemd/system").exists():
            facts.add("systemd")
        if all(line.startswith("0::") for line in Path("/proc/self/cgroup").read_text().splitlines()):
            facts.add("cgroup v2 alone")
        return facts | ({"root"} if os.getuid() == 0 else {"rootless"})


MANAGER = Podman

# Each adds its steps to STEPS.
for part in ("process", "life", "rights", "mounts", "groups", "bad"):
    importlib.import_module(f"podman_{part}").add(STEPS.step)
