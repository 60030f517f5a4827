"""The test machines: each starts, runs one command, and is gone with all that it made.

What runs is a process with its own pid namespace, which dies with the process that started it.
"""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
USERS = {"tester": 1000, "other": 1001}
READY = """#!/bin/sh
# Waits until both users have a bus and a manager.
for _ in $(seq 3000); do
    [ -S /run/user/1000/bus ] && [ -S /run/user/1000/systemd/private ] &&
        [ -S /run/user/1001/bus ] && [ -S /run/user/1001/systemd/private ] && exit 0
    sleep 0.1
done
echo "the users' managers did not start" >&2
exit 1
"""
# What runs is the child of this, and the first of its pid namespace; it does not outlive us.
ALONE = ["setpriv", "--pdeathsig", "KILL", "--", "unshare", "--pid", "--fork", "--kill-child",
         "--mount", "--propagation", "private"]


class MachineError(Exception):
    """The machine could not be built or started, or gave no answer; says why."""


def require(program, package):
    if not shutil.which(program):
        raise MachineError(f"{program} is missing: apt-get install --no-install-recommends {package}")


def build(name):
    """The directory with what the machine `name` starts from, built if need be."""
    result = subprocess.run([HERE / "build", name], stdout=subprocess.PIPE, check=False, text=True)
    if result.returncode:
        raise MachineError(f"the machine {name} could not be built; the reason is above")
    return Path(result.stdout.splitlines()[-1])


def enter_script(machine, user):
    """What runs /copy/.command in a service of its own as root, or in a login session of `user`."""
    words = ["systemd-run", "--quiet", "--pipe", "--wait", "--collect", "--service-type=exec",
             "--property=WorkingDirectory=/copy", "--property=TasksMax=infinity",
             f"--setenv=CORACLE_MACHINE={machine}"]
    if user == "root":
        words.append("--setenv=HOME=/root")
    else:
        run = f"/run/user/{USERS[user]}"
        words += [f"--property=User={user}", "--property=PAMName=login",
                  f"--setenv=HOME=/home/{user}", f"--setenv=XDG_RUNTIME_DIR={run}",
                  f"--setenv=DBUS_SESSION_BUS_ADDRESS=unix:path={run}/bus"]
    return f"#!/bin/sh\nexec {shlex.join([*words, '--', '/bin/sh', '/copy/.command'])}\n"


class Machine:
    """One start of a machine. `copies` are directories, each found as /copy/NAME; `command` runs in
    /copy as `user`, with CORACLE_MACHINE in its environment; what it leaves in /results comes
    to the directory `results`. `timeout`, in seconds, is for all of it."""

    name = ""

    def __init__(self, user="root", copies=(), results=None, timeout=600):
        self.user = user
        self.copies = [Path(copy).resolve() for copy in copies]
        self.results = results
        self.timeout = timeout
        self.times = ""

    def run(self, command):
        """Exit code of `command`, whose output goes to ours."""
        self.deadline = time.monotonic() + self.timeout
        self.base = build(self.name)
        with tempfile.TemporaryDirectory(prefix=f"coracle-{self.name}-") as state:
            self.state = Path(state)
            self.state.chmod(0o755)
            self._pack(command)
            return self._run()

    def left(self):
        return max(self.deadline - time.monotonic(), 1)

    def _pack(self, command):
        files = {".command": f"exec {shlex.join(command)}\n", ".ready": READY,
                 ".enter": enter_script(self.name, self.user), ".job": (HERE / "job").read_text()}
        files_directory = self.state / "files"
        files_directory.mkdir()
        with tarfile.open(self.state / "copy.tar", "w") as tar:
            for name, text in files.items():
                (files_directory / name).write_text(text)
                (files_directory / name).chmod(0o755)
                tar.add(files_directory / name, name)
            for copy in self.copies:
                tar.add(copy, copy.name)

    def _keep_results(self, directory):
        if self.results:
            shutil.copytree(directory, self.results, dirs_exist_ok=True,
                            ignore=shutil.ignore_patterns(".job"))

    def _console(self, lines=30):
        try:
            text = (self.state / "console").read_text(errors="replace")
        except OSError:
            text = ""
        return "\n".join(["its console:", *text.splitlines()[-lines:]])


class Systemd(Machine):
    """systemd in namespaces of this kernel, on this kernel's cgroup2: native speed, and the
    controllers that no hierarchy of cgroup v1 has, often none."""

    name = "systemd"

    def _run(self):
        mounts = Path("/proc/self/mountinfo").read_text(encoding="ascii").splitlines()
        places = [line.split()[4] for line in mounts if " - cgroup2 " in line]
        if not places:
            raise MachineError("this host has mounted no cgroup2")
        cgroup = Path(places[0]) / self.state.name
        for name in ("root", "memory", "results"):
            (self.state / name).mkdir()
        (self.state / "results").chmod(0o1777)
        cgroup.mkdir()
        try:
            with open(self.state / "console", "wb") as console:
                # Only what will be systemd goes into the cgroup: a process that waits there would
                # keep it from passing controllers on.
                script = 'echo 0 >"$1/cgroup.procs"; shift; exec unshare --cgroup -- "$@"'
                outer = subprocess.Popen(
                    [*ALONE, "--uts", "--ipc", "--net", "sh", "-c", script, "sh", cgroup,
                     HERE / "systemd-init", self.base / "rootfs", self.state],
                    stdin=subprocess.DEVNULL, stdout=console, stderr=console)
            try:
                return self._in(outer)
            finally:
                outer.kill()
                outer.wait()
        finally:
            self._remove_cgroup(cgroup)

    def _in(self, outer):
        start = time.monotonic()
        inner = self._wait(outer, lambda: Path(
            f"/proc/{outer.pid}/task/{outer.pid}/children").read_text(encoding="ascii").split())[0]
        self._wait(outer, lambda: Path(f"/proc/{inner}/comm").read_text() == "systemd\n")
        enter = ["nsenter", f"--target={inner}", "--mount", "--uts", "--ipc", "--net", "--pid",
                 "--cgroup", "--wdns=/", "--"]
        try:
            ready = subprocess.run([*enter, "/copy/.ready"], check=False, timeout=self.left())
            if ready.returncode:
                raise MachineError(f"the machine did not start; {self._console()}")
            self.times = f"ready after {time.monotonic() - start:.1f} s"
            code = subprocess.run([*enter, "/copy/.enter"], stdin=subprocess.DEVNULL, check=False,
                                  timeout=self.left()).returncode
        except subprocess.TimeoutExpired as error:
            raise MachineError(f"no end after {self.timeout} s") from error
        finally:
            self._keep_results(self.state / "results")
        return code

    def _wait(self, outer, ask):
        while True:
            answer = ask()
            if answer:
                return answer
            if outer.poll() is not None:
                raise MachineError(f"the machine ended; {self._console()}")
            if time.monotonic() > self.deadline:
                raise MachineError(f"no end after {self.timeout} s; {self._console()}")
            time.sleep(0.02)

    def _remove_cgroup(self, cgroup):
        """The killed are not gone at once."""
        for _ in range(100):
            for directory, _, _ in os.walk(cgroup, topdown=False):
                try:
                    os.rmdir(directory)
                except OSError:
                    pass
            if not cgroup.exists():
                return
            time.sleep(0.05)


class Booted(Machine):
    """A machine with its own kernel: a tar as second disk goes in, one on the third comes out."""

    def _argv(self):
        raise NotImplementedError

    def _run(self):
        (self.state / "results.tar").touch()
        os.truncate(self.state / "results.tar", 256 << 20)
        with open(self.state / "console", "wb") as console:
            process = subprocess.Popen([*ALONE, *self._argv()], stdin=subprocess.DEVNULL,
                                       stdout=console, stderr=console,
                                       env={**os.environ, "TMPDIR": str(self.state)})
            try:
                process.wait(self.left())
            except subprocess.TimeoutExpired as error:
                raise MachineError(f"no end after {self.timeout} s; {self._console()}") from error
            finally:
                process.kill()
                process.wait()
        return self._answer()

    def _answer(self):
        results = self.state / "results"
        try:
            with tarfile.open(self.state / "results.tar") as tar:
                tar.extractall(results)
            status, ready, end = (results / ".job/status").read_text(encoding="ascii").split()
        except (OSError, ValueError, tarfile.TarError) as error:
            raise MachineError(f"the machine left no result ({error}); {self._console()}") from error
        self.times = f"ready after {ready} s, command until {end} s"
        sys.stdout.write((results / ".job/out").read_text(errors="replace"))
        sys.stdout.flush()
        sys.stderr.write((results / ".job/err").read_text(errors="replace"))
        self._keep_results(results)
        return int(status)


class Uml(Booted):
    """User Mode Linux: one processor; controllers cpu, io, memory, pids."""

    name = "uml"

    def _argv(self):
        kernel = self.base / "uml"
        (self.state / "memory").mkdir()
        # Its memory is a file that can be executed. Its own libc is beside it, hence the chroot.
        script = """set -e
            mount -t proc proc "$1/proc"; mount --rbind /dev "$1/dev"; mount --bind "$2" "$1/run"
            mount -t tmpfs -o size=3G tmpfs "$1/run/memory"
            shift 2; cd /; TMPDIR=/run/memory exec chroot "$@" """
        return ["sh", "-c", script, "sh", kernel, self.state, kernel, "/usr/bin/linux.uml",
                "mem=2G", "uml_dir=/run", "umid=uml", "ubd0=/run/changes,/disk/root.img",
                "ubd1=/run/copy.tar", "ubd2=/run/results.tar", "root=/dev/ubda", "rw",
                "con0=null,fd:1", "con=null", "quiet", "selinux=0", "panic=-1",
                "systemd.wants=machine-job.service",
                *(kernel / "arguments").read_text(encoding="ascii").split()]


class Vm(Booted):
    """qemu without KVM, Debian's kernel: two processors; the controller cpuset too."""

    name = "vm"

    def _argv(self):
        require("qemu-system-x86_64", "qemu-system-x86")
        kernel = self.base / "vm"
        # With -cpu max, libc takes code for AVX2, which is emulated at half the speed.
        argv = ["qemu-system-x86_64", "-accel", "tcg,thread=multi,tb-size=512", "-machine", "q35",
                "-cpu", "qemu64", "-smp", "2", "-m", "2G", "-nodefaults", "-no-user-config",
                "-display", "none", "-no-reboot", "-serial", "stdio",
                "-kernel", kernel / "vmlinuz", "-initrd", kernel / "initrd", "-append",
                "console=ttyS0 quiet panic=-1 mitigations=off nopti nokaslr audit=0 selinux=0 "
                "apparmor=0 tsc=reliable random.trust_cpu=on "
                "systemd.wants=machine-job.service"]
        disks = [(kernel / "root.img", "snapshot=on"), (self.state / "copy.tar", "readonly=on"),
                 (self.state / "results.tar", "snapshot=off")]
        for number, (path, option) in enumerate(disks):
            argv += ["-drive", f"id=d{number},file={path},format=raw,if=none,cache=unsafe,{option}",
                     "-device", f"virtio-blk-pci,drive=d{number}"]
        return argv


MACHINES = {machine.name: machine for machine in (Systemd, Uml, Vm)}


def end_at_signals():
    """A signal that ends this process lets it clean up first."""
    def end(number, _):
        raise SystemExit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
