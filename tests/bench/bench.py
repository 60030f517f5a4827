"""What all benchmarks share: the compiled floors, a bundle, the user they run as, the timing driver."""
import ctypes
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
PR_SET_CHILD_SUBREAPER = 36
VARIANTS = ("two-roles", "none", "reexec", "ro-clone", "tmpfs", "small-tmpfs", "memfd-early",
            "memfd-parent", "small-elf", "memfd-late", "small-late")
VERBS = ("create", "state", "start", "delete")
CAPABILITIES = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]
MASKED = ["/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys",
          "/proc/latency_stats", "/proc/sched_debug", "/proc/scsi", "/proc/timer_list",
          "/proc/timer_stats", "/sys/devices/virtual/powercap", "/sys/firmware"]
READ_ONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
MOUNTS = [
    ("/proc", "proc", []),
    ("/dev", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
    ("/dev/pts", "devpts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]),
    ("/dev/shm", "tmpfs", ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]),
    ("/dev/mqueue", "mqueue", ["nosuid", "noexec", "nodev"]),
    ("/sys", "sysfs", ["nosuid", "noexec", "nodev", "ro"]),
    ("/sys/fs/cgroup", "cgroup", ["nosuid", "noexec", "nodev", "relatime", "ro"]),
]
# What bwrap has without further options: namespaces, capabilities, no new privileges.
BWRAPS_WALLS = ["--seccomp", "none", "--landlock", "off", "--allow-userns"]
NAMESPACES = ["user", "pid", "network", "ipc", "uts", "mount", "cgroup"]

class Bench:
    """A temporary directory with the compiled floors and a bundle, and how to run as the user."""

    def __init__(self, options, directory):
        self.options = options
        self.directory = pathlib.Path(directory)
        # In memory, as /run is, where runtimes keep their state.
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else directory
        self.own = tempfile.TemporaryDirectory(prefix="coracle-bench-", dir=memory,
                                               ignore_cleanup_errors=True)
        self.state = pathlib.Path(self.own.name)
        self.root = os.geteuid() == 0
        self.uid = options.uid if self.root else os.getuid()
        self.gid = options.uid if self.root else os.getgid()
        self.deadline = time.monotonic() + options.patience
        self.notes = []
        self.failing = set()  # runtimes that cannot even run /bin/true here

    def build(self):
        common = ["-O2", "-s", "-D_GNU_SOURCE", "-Wall"]
        flags = [*common, "-static"]
        init = self.directory / "floor_init"
        self.compile("true", ["true.c"], flags)
        self.compile("pause", ["pause.c"], flags)
        self.compile("floor_exec", ["floor_exec.c"], flags)
        self.compile("timing_driver", ["timing_driver.c"], flags)
        self.compile("floor_minimal", ["floor_minimal.c"], flags)
        self.compile("floor_init", ["floor_init.c", "floor_container.c"],
                     common + ["-static-pie", "-fPIE", "-ffunction-sections", "-Wl,--gc-sections"])
        for name, more in (("floor_same_work", []), ("floor_staged", ["-DFLOOR_STAGES"])):
            self.compile(name, ["floor_same_work.c", "floor_container.c"],
                         [*flags, f'-DFLOOR_INIT_ELF="{init}"', *more])

        if coracle_path().exists():  # a stripped copy, where the user can reach it
            shutil.copy(coracle_path(), self.directory / "coracle")
            if shutil.which("strip"):
                subprocess.run(["strip", str(self.directory / "coracle")], check=False,
                               stderr=subprocess.DEVNULL)  # it may be a script

    def compile(self, name, sources, flags):
        compiler = shlex.split(os.environ.get("CC", "cc"))  # "ccache gcc", as meson takes it
        subprocess.run([*compiler, *flags, *(str(HERE / source) for source in sources),
                        "-o", str(self.directory / name)], check=True)

    def prepare(self):
        rootfs = self.directory / "bundle" / "rootfs"
        for name in ("bin", "proc", "sys", "dev", "tmp"):
            (rootfs / name).mkdir(parents=True)
        for name in ("true", "pause"):
            shutil.copy(self.directory / name, rootfs / "bin" / name)
        (self.state / "xdg").mkdir(mode=0o700)
        self.write_bundle("bundle", lambda config: config["root"].update(path="rootfs"))
        self.write_bundle("living", lambda config: config["process"].update(args=["/bin/pause"]))
        os.chmod(self.directory, 0o755)
        # What a runtime leaves behind is reaped here: some take a zombie for running.
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        if self.root:
            for path in [self.directory, *self.directory.rglob("*"), self.state, self.state / "xdg"]:
                os.chown(path, self.uid, self.gid, follow_symlinks=False)
        os.environ["XDG_RUNTIME_DIR"] = str(self.state / "xdg")
        os.environ["HOME"] = str(self.directory)

    def write_bundle(self, name, edit):
        """A bundle of the bench's rootfs with an edited config; its path."""
        path = self.directory / name
        path.mkdir(parents=True, exist_ok=True)
        config = self.make_config()
        config["root"]["path"] = str(self.directory / "bundle/rootfs")
        edit(config)
        (path / "config.json").write_text(json.dumps(config), encoding="utf-8")
        return str(path)

    def make_config(self):
        sets = {name: CAPABILITIES for name in ("bounding", "effective", "permitted")}
        linux = {
            "namespaces": [{"type": name} for name in NAMESPACES],
            "uidMappings": [{"containerID": 0, "hostID": self.uid, "size": 1}],
            "gidMappings": [{"containerID": 0, "hostID": self.gid, "size": 1}],
            "maskedPaths": MASKED,
            "readonlyPaths": READ_ONLY,
        }
        if self.options.config == "podman":
            linux["seccomp"] = read_podmans_filter()
        return {
            "ociVersion": "1.0.2",
            "process": {
                "terminal": False, "user": {"uid": 0, "gid": 0}, "args": ["/bin/true"],
                "env": ["PATH=/bin", "TERM=xterm"], "cwd": "/", "capabilities": sets,
                "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
                "noNewPrivileges": True,
            },
            "root": {"path": "rootfs", "readonly": True},
            "hostname": "bench",
            "mounts": [{"destination": path, "type": kind, "source": kind, "options": options}
                       for path, kind, options in MOUNTS],
            "linux": linux,
        }

    def as_user(self, command):
        """The command line that runs `command` as the user, in the pure view if one is needed."""
        if not self.root:
            return command
        drop = ["setpriv", f"--reuid={self.uid}", f"--regid={self.gid}", "--clear-groups", "--"]
        if os.path.exists("/sys/fs/cgroup/cgroup.controllers"):
            return [*drop, *command]
        view = 'mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec "$@"'
        return ["unshare", "--mount", "--propagation", "private", "sh", "-c", view, "sh",
                *drop, *command]

    def start(self, command, stdin=""):
        return subprocess.run(self.as_user(command), input=stdin, text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def call(self, command):
        """Without a pipe that a container would hold open; the last words if it failed, else ""."""
        with tempfile.TemporaryFile() as words:
            done = subprocess.run(self.as_user(command), check=False, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=words)
            words.seek(0)
            text = words.read().decode(errors="replace").strip().splitlines()
        return "" if done.returncode == 0 else (text or [f"status {done.returncode}"])[-1]

    def runtimes(self):
        """name -> the command line before the verb, for each OCI runtime that is there and works."""
        coracle = self.directory / "coracle"
        found = {}
        if coracle.exists():
            found["coracle"] = [str(coracle), "--root", str(self.state / "coracle")]
        else:
            self.notes.append(f"coracle skipped: {coracle_path()} is missing (set CORACLE_RUNTIME)")
        # No delegated cgroup here, so crun is told not to look for one: the least it can do.
        options = {"crun": ["--cgroup-manager=disabled"], "runc": ["--rootless=true"]}
        for name, extra in options.items():
            path = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
            if path:
                found[name] = [path, "--root", str(self.state / name), *extra]
            else:
                self.notes.append(f"{name} skipped: not installed")
        return {name: prefix for name, prefix in found.items() if name not in self.failing}

    def keep_working(self, commands):
        """Drops each command that fails once, with a note of its last words."""
        for name in list(commands):
            result = self.start([word.replace("%i", "check") for word in commands[name]])
            if result.returncode != 0:
                words = (result.stderr.strip() or result.stdout.strip()).splitlines() or [""]
                failure = f"status {result.returncode}: {words[-1]}"
                if name in ("coracle", "floor_minimal", "floor_same_work"):
                    sys.exit(f"{name} failed: {failure}")
                self.notes.append(f"{name} skipped: {failure}")
                del commands[name]
        return commands

    def wait_for_quiet(self):
        """Waits until 90 % of half a second's CPU time is idle; false when the deadline came."""
        while time.monotonic() < self.deadline:
            before = read_cpu_times()
            time.sleep(0.5)
            idle, total = (after - past for after, past in zip(read_cpu_times(), before))
            if idle >= 0.9 * total:
                return True
        return False

    def drive(self, lines, count=None):
        """Runs the timing driver; name -> list of (ms, KiB) of what worked, in order of rounds."""
        if not lines:
            return {}
        count = count or self.options.count
        samples = {}
        failed = {}
        rounds = 10 if self.options.patience else count
        for done in range(0, count, rounds):
            if self.options.patience and not self.wait_for_quiet():
                self.notes.append("the machine was not idle: take ratios, and repeat")
            self.drive_rounds(lines, min(rounds, count - done), samples, failed)
        self.notes += [f"{name}: {number} of {count} runs FAILED, which are left out"
                       for name, number in failed.items() if number]
        return samples

    def drive_rounds(self, lines, rounds, samples, failed):
        text = "".join("\t".join(line) + "\n" for line in lines)
        driver = [str(self.directory / "timing_driver"), str(rounds)]
        result = self.start(driver, stdin=text)
        if result.returncode != 0:
            sys.exit(f"timing_driver: status {result.returncode}: {result.stderr}")
        for row in result.stdout.splitlines():
            name, nanoseconds, peak, status = row.split("\t")
            failed[name] = failed.get(name, 0) + (status != "0")
            if status == "0":
                samples.setdefault(name, []).append((int(nanoseconds) / 1e6, int(peak)))


def coracle_path():
    default = REPOSITORY / "build/src/coracle"
    return pathlib.Path(os.environ.get("CORACLE_RUNTIME", default)).absolute()


def read_podmans_filter():
    source = REPOSITORY / "tests/data/config-podman.json"
    return json.loads(source.read_text(encoding="utf-8"))["linux"]["seccomp"]


def read_cpu_times():
    """(idle, all) ticks of all CPUs since boot."""
    words = pathlib.Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:9]
    ticks = [int(word) for word in words]
    return ticks[3], sum(ticks)
