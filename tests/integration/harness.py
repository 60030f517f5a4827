"""Runs a container runtime for the tests: its command line, its bundles, its leavings."""

import ctypes
import itertools
import json
import os
import select
import shlex
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass

import pytest

import bundles
import machines
import modes
import residue
from canary import Canary
from facts import Facts
from modes import TEST_UID

HERE = os.path.dirname(os.path.abspath(__file__))
CHECKOUT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.environ.get("CORACLE_BUILD", os.path.join(CHECKOUT, "build"))
RUNTIME = os.path.abspath(os.environ.get("CORACLE_RUNTIME", f"{BUILD}/src/coracle"))
GUEST = os.path.abspath(os.environ.get("CORACLE_GUEST", f"{BUILD}/tests/guest/coracle-guest"))
WRAPPER = shlex.split(os.environ.get("CORACLE_WRAPPER", ""))
BUSYBOX = os.environ.get("CORACLE_BUSYBOX", "/bin/busybox")
TIMEOUT = float(os.environ.get("CORACLE_TEST_TIMEOUT", "60")) * machines.PATIENCE
PR_SET_CHILD_SUBREAPER = 36
KINDS = {"runc": "runc", "crun": "crun"}
_numbers = itertools.count(1)


def become_subreaper():
    """Orphans of the runtime come to this process, as they do to a container manager."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def reachable(path, session):
    """`path`, or a copy in `session` if the unprivileged user cannot execute it where it is."""
    ask = ["setpriv", f"--reuid={TEST_UID}", f"--regid={TEST_UID}", "--clear-groups", "test", "-x",
           path]
    if os.geteuid() != 0 or subprocess.run(ask, check=False).returncode == 0:
        return path
    copy = shutil.copy(path, session)
    os.chmod(copy, 0o755)
    return copy


def eventually(check, seconds=20.0):
    """Waits until `check()` is true; returns its last answer. The limit is for what never comes."""
    deadline = time.monotonic() + seconds * machines.PATIENCE
    while True:
        answer = check()
        if answer or time.monotonic() > deadline:
            return answer
        time.sleep(0.01)


def wait_for(process, timeout):
    """As process.wait(timeout), which looks at it after ever longer sleeps."""
    pidfd = os.pidfd_open(process.pid)
    try:
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        poll.poll(timeout * 1000)
    finally:
        os.close(pidfd)
    return process.wait(0)


class Remover:
    """Removes directories by the dozen beside the next tests: a disk takes its time for that."""

    MANY = 12

    def __init__(self):
        self.paths = []
        self.process = None

    def take(self, path):
        self.paths.append(path)
        if len(self.paths) >= self.MANY:
            self.begin()

    def begin(self):
        self.wait()
        # Not shutil.rmtree: some trees are very deep.
        self.process = subprocess.Popen(["rm", "-rf", *self.paths], stdin=subprocess.DEVNULL)
        self.paths = []

    def wait(self):
        process, self.process = self.process, None
        assert process is None or process.wait() == 0, f"rm -rf failed: {process.args}"


remover = Remover()


@dataclass
class Result:
    argv: list
    rc: int
    out_path: str
    err_path: str
    seconds: float

    def _read(self, path):
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()

    @property
    def out(self):
        return self._read(self.out_path)

    @property
    def err(self):
        return self._read(self.err_path)

    def __str__(self):
        return f"{' '.join(self.argv)}\nrc {self.rc}\nout: {self.out}\nerr: {self.err}"


def _prefix(kind, path, mode, uid, place=()):
    """How each known runtime must be called, the peers on a host with hybrid cgroups."""
    become = [*place, *modes.become(mode, GUEST, uid)]
    if kind == "crun":
        view = "mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec \"$@\""
        return ["unshare", "-m", "--propagation", "private", "sh", "-c", view, "sh", *become, path,
                "--cgroup-manager=disabled"]
    if kind == "runc" and mode != "root":
        return [*become, path, "--rootless=true"]
    return [*become, path]


class Runtime:
    """One runtime binary with one state root, run in one mode."""

    def __init__(self, path, directory, mark, mode="root", uid=None, place=()):
        self.path = path
        self.kind = KINDS.get(os.path.basename(path), "coracle")
        self.directory = directory
        self.root = os.path.join(directory, "state")
        self.prefix = [*WRAPPER, *_prefix(self.kind, path, mode, uid, place)]
        self.env = {"PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
                    "XDG_RUNTIME_DIR": os.path.join(directory, "xdg"), "CORACLE_TEST_MARK": mark}
        for key, value in os.environ.items():
            if key.split("_")[0] in ("ASAN", "UBSAN", "LSAN", "GCOV", "LLVM"):
                self.env[key] = value

    def argv(self, *args, options=(), root=True):
        head = [*self.prefix, "--root", self.root] if root else list(self.prefix)
        return [*head, *options, *(str(arg) for arg in args)]

    def popen(self, argv, out, err, **kw):
        kw.setdefault("stdin", subprocess.DEVNULL)
        kw.setdefault("env", self.env)
        kw.setdefault("cwd", self.directory)
        return subprocess.Popen(argv, stdout=out, stderr=err, start_new_session=True, **kw)

    def call(self, *args, options=(), root=True, timeout=TIMEOUT, wrap=(), **kw):
        """Runs it to its end. Stdout and stderr are files: a container may hold them longer."""
        argv = [*wrap, *self.argv(*args, options=options, root=root)]
        paths = [os.path.join(self.directory, f"{name}-{next(_numbers)}") for name in ("out", "err")]
        began = time.monotonic()
        with open(paths[0], "ab") as out, open(paths[1], "ab") as err:
            os.fchmod(out.fileno(), 0o666)
            os.fchmod(err.fileno(), 0o666)
            process = self.popen(argv, out, err, **kw)
            try:
                rc = wait_for(process, timeout)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
                process.wait()
                raise AssertionError(f"no end after {timeout} s: {' '.join(argv)}\n"
                                     f"{open(paths[1], errors='replace').read()}") from None
        return Result(argv, rc, *paths, time.monotonic() - began)


class Box:
    """The surroundings of one test: directories, a runtime, what was made, and its clean end."""

    def __init__(self, mode, session, runtime=RUNTIME, user="tester", place=None):
        """On a test machine, `user` is whose containers they are, root's aside, and `place` the
        cgroup that the runtime is started in (machines.PLACES), by default that user's session."""
        self.mode = mode
        uid = TEST_UID if os.geteuid() == 0 else os.getuid()
        if not machines.NATIVE:
            uid = machines.USERS[user]
        # Of a plain user only: the one id that its containers may map.
        self.uid = uid if mode == "user" else None
        # Who the runtime is to the host; its containers' root too.
        self.host_uid = modes.NAMESPACE_UID if mode == "userns-root" else self.uid
        self.owner = (self.host_uid or 0, self.host_uid or 0)
        self.mark = f"cit{os.getpid()}x{next(_numbers)}"
        self.began = residue.now() - 1
        self.dir = tempfile.mkdtemp(prefix=f"{self.mark}-", dir=session)
        os.chmod(self.dir, 0o755)
        self.place = place or machines.default_place(mode)
        self.runtime = Runtime(runtime, self.dir, self.mark, mode, self.uid,
                               machines.enter(self.place, self.host_uid))
        if not machines.NATIVE and mode != "root":
            self.runtime.env["XDG_RUNTIME_DIR"] = f"/run/user/{self.host_uid}"
        for name in ("state", "xdg", "pids"):
            self.directory(name, 0o700)
        self.give(self.dir)
        self.ids = []
        self.bundles = []
        self.pid_files = set()
        self.helpers = []
        self.canary = Canary(os.path.join(self.dir, "canary"), self.owner)

    @property
    def kind(self):
        return self.runtime.kind

    def give(self, path):
        if os.geteuid() == 0:
            os.chown(path, *self.owner, follow_symlinks=False)
        return path

    def directory(self, name, mode=0o755):
        path = os.path.join(self.dir, name)
        os.makedirs(path)
        os.chmod(path, mode)
        return self.give(path)

    # ---- bundles

    def base(self):
        uid = self.uid
        config = bundles.base_config(uid, uid) if uid is not None else bundles.base_config()
        return config if self.kind == "coracle" else bundles.without_cgroup(config)

    def bundle(self, *args, edit=None, busybox=False):
        """A bundle whose program is the guest with `args`; `edit(config, bundle)` changes it."""
        def change(config, bundle):
            if args:
                config["process"]["args"] = ["/bin/guest", *args]
            if edit:
                edit(config, bundle)
        path = os.path.join(self.dir, f"bundle-{next(_numbers)}")
        made = bundles.make_bundle(path, self.base(), self.owner, GUEST, change,
                                   BUSYBOX if busybox else None)
        self.bundles.append(made)
        return made

    # ---- calls

    def new_id(self, name="c"):
        self.ids.append(f"{name}{len(self.ids)}-{self.mark}")
        return self.ids[-1]

    def pid_file(self):
        path = os.path.join(self.dir, "pids", f"pid{next(_numbers)}")
        self.pid_files.add(path)
        return path

    def call(self, *args, **kw):
        return self.runtime.call(*args, **kw)

    def must(self, *args, **kw):
        result = self.call(*args, **kw)
        assert result.rc == 0, f"failed: {result}"
        return result

    def fails(self, *args, says=(), **kw):
        """It must end by itself, not 0, with a sentence that has each of `says`.

        The words are asked of runc and of coracle; crun has its own."""
        result = self.call(*args, **kw)
        assert result.rc > 0, f"did not fail, or died of a signal: {result}"
        assert result.err.strip(), f"failed without a word: {result}"
        if self.kind == "coracle":
            assert len(result.err.splitlines()) == 1, f"not one line: {result}"
        for text in [] if self.kind == "crun" else [says] if isinstance(says, str) else says:
            assert text.lower() in result.err.lower(), f"does not say {text!r}: {result}"
        return result

    def run(self, bundle, *options, **kw):
        return self.call("run", *options, "--bundle", bundle.path, self.new_id(), **kw)

    def output(self, *args, edit=None, busybox=False, **kw):
        """Stdout of a container that must succeed."""
        result = self.run(self.bundle(*args, edit=edit, busybox=busybox), **kw)
        assert result.rc == 0, f"failed: {result}"
        return result.out

    def facts(self, edit=None, **kw):
        return Facts(self.output("facts", edit=edit, **kw))

    def create(self, *args, edit=None, bundle=None, options=(), before=(), **kw):
        """`options` of create, and `before` it those of all verbs."""
        bundle = bundle or self.bundle(*args, edit=edit)
        container = Container(self, self.new_id(), bundle)
        container.created = self.must("create", *options, "--pid-file", container.pid_file,
                                      "--bundle", bundle.path, container.id, options=before, **kw)
        container.pid = int(open(container.pid_file, encoding="ascii").read())
        return container

    def start(self, *args, edit=None, **kw):
        """A container whose guest has said "ready"."""
        container = self.create(*args, edit=edit, **kw)
        self.must("start", container.id)
        container.wait_for("ready")
        return container

    def state(self, container_id):
        return json.loads(self.must("state", container_id).out)

    def guest(self, *args):
        """The guest as a helper on the host, ended with the test."""
        process = subprocess.Popen([GUEST, *args], stdout=subprocess.PIPE,
                                   stdin=subprocess.DEVNULL)
        self.helpers.append(process)
        assert process.stdout.readline() == b"ready\n"
        return process

    # ---- the end

    def processes(self):
        # Who has other processes too is no sign.
        uid = self.host_uid if os.geteuid() == 0 and machines.NATIVE else None
        but = [process.pid for process in self.helpers]
        if self.mode == "userns-root":
            but.append(modes.holder(GUEST))
        return residue.find_processes(self.mark, self.dir, self.began, uid, but)

    def _is_known(self, name):
        roots = (self.runtime.root, os.path.join(self.runtime.env["XDG_RUNTIME_DIR"], "coracle"))
        return any(os.path.lexists(os.path.join(root, name)) for root in roots)

    def leavings(self):
        kept = {*self.pid_files, os.path.join(self.runtime.root, ".filters")}
        places = [os.path.join(self.dir, "pids"), self.runtime.root]
        for bundle in self.bundles:
            kept |= bundle.kept
            places.append(bundle.path)
        return ([text for _, text in self.processes()] + residue.find_mounts(self.dir)
                + self._cgroups_left() + residue.find_files(places, kept))

    def _cgroups_left(self):
        """systemd removes a scope without processes some milliseconds after the last of them."""
        return residue.wait_for_none(lambda: residue.find_cgroups(self.mark), 2 * machines.PATIENCE)

    def close(self):
        """Removes every container, then says what is left although nothing should be."""
        for process in self.helpers:
            process.kill()
            process.wait()
            process.stdout.close()
        self.helpers = []
        for name in self.ids:
            if self.kind == "coracle" and not self._is_known(name):
                continue
            try:
                self.call("delete", "--force", name)
            except AssertionError:
                pass
        left = residue.wait_for_none(self.leavings, 5 * machines.PATIENCE)
        if left:
            residue.end_processes(self.processes())
        residue.reap_children()
        if not residue.find_mounts(self.dir):
            remover.take(self.dir)
        return left


class Container:
    def __init__(self, box, container_id, bundle):
        self.box = box
        self.id = container_id
        self.bundle = bundle
        self.pid_file = box.pid_file()
        self.pid = 0
        self.created = None

    @property
    def out(self):
        return self.created.out

    def wait_for(self, text):
        assert eventually(lambda: text in self.out), f"never said {text!r}: {self.created}"

    def wait_status(self, seconds=5.0):
        """The wait status of init, which must be a child of this process by now."""
        def ask():
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            return [status] if pid else None
        answer = eventually(ask, seconds)
        assert answer, f"process {self.pid} has not ended"
        return answer[0]

    def status(self):
        return self.box.state(self.id)["status"]

    def wait_stopped(self):
        assert eventually(lambda: self.status() == "stopped"), f"not stopped: {self.status()}"
