#!/usr/bin/python3
"""Lets system calls of a runtime fail, one at a time, and looks whether it notices.

Each point is one system call of one process of a verb and one errno. Then either the verb fails
with one line on standard error that says what failed, or it has done everything it says it has
done: the container is the same as one that was made undisturbed. It never dies of a signal nor
hangs, and one `delete --force ID` leaves no process, mount, state entry or file.

    fault_points.py [--user|--root] [--verb VERB]... [--errno E]... [--call NAME]... [--repeat]
                    [--sample N] [--seed S] [--messages] [--verbose]
    CORACLE_WRAPPER="build/tests/guest/coracle-refuse linux-5.10 --" fault_points.py ...

The second form: where what has a fallback is refused.
--repeat: all later calls of the same kind in that process fail too, but not with EINTR and EAGAIN,
which ask to call again. --messages: prints each error that came, with its count. Prints `VERB: N points, M wrong (F failed, S succeeded)` and the wrong
ones; exits 1 if there are any."""

import argparse
import errno
import json
import os
import random
import re
import select
import socket
import subprocess
import sys
from collections import Counter

import attacks
import bundles
import harness
import id_ranges
import kill_points
import residue
from facts import Facts, Mount

VERBS = ("create", "create with ranges", "create with joined namespaces",
         "create with a console socket", "start", "run", "run with a terminal",
         "run with the host's pids", "state", "kill", "delete", "delete --force")
ERRNOS = ("EINTR", "EAGAIN", "ENOMEM", "EPERM", "EIO", "ENOSPC", "EMFILE", "EBUSY")
# They cannot fail, and the C library does not look. What brk(2) returns is never an errno.
INFALLIBLE = {"brk", "exit", "exit_group", "rt_sigreturn", "getpid", "gettid", "getppid", "getuid",
              "geteuid", "getgid", "getegid", "umask", "set_tid_address"}
# Meant for another answer than failure; what follows is right.
MEANINGS = {("connect", "EAGAIN"): "somebody listens, and the queue is full"}
# Refused, so the plan's fallback is taken, which the record names; of a `run` no record is left.
FALLBACKS = {("keyctl", "EPERM")} | {(name, reason)
                                     for name in ("fsopen", "fsconfig", "fsmount", "mount")
                                     for reason in ("EPERM", "EBUSY")}
# Of the state, what only decorates it, and what differs from one container to the next.
NOT_COMPARED = ("owner", "created", "pid", "annotations")
CRASH = re.compile(r"killed by SIG(SEGV|BUS|ILL|FPE|TRAP|ABRT)")


def enrich(config, bundle):
    """A container that uses every step which can be forgotten."""
    root_mode = not any(n["type"] == "user" for n in config["linux"]["namespaces"])
    bundle.directory("data")
    bundle.file("data/file", "x")
    process, linux = config["process"], config["linux"]
    process["oomScoreAdj"] = 500
    process["cwd"] = "/tmp"
    process["capabilities"]["inheritable"] = ["CAP_KILL"]
    process["capabilities"]["ambient"] = ["CAP_KILL"]
    process["rlimits"] += [{"type": "RLIMIT_CORE", "hard": 0, "soft": 0},
                           {"type": "RLIMIT_STACK", "hard": 1 << 20, "soft": 1 << 20}]
    if root_mode:
        process["user"] = {"uid": 1000, "gid": 1000, "umask": 0o27, "additionalGids": [5, 7]}
    config["domainname"] = "domain"
    config["root"]["readonly"] = True
    config["mounts"] += [
        {"destination": "/data", "type": "bind", "source": os.path.join(bundle.rootfs, "bin"),
         "options": ["rbind", "ro", "nosuid", "nodev", "rslave"]},
        {"destination": "/tmp", "type": "tmpfs", "source": "tmp", "options": ["nodev", "size=1m"]}]
    linux["rootfsPropagation"] = "private"
    linux["sysctl"] = {"net.ipv4.ip_unprivileged_port_start": "77"}
    linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["swapon", "swapoff"], "action": "SCMP_ACT_ERRNO"}]}


def use_ranges(config, bundle):
    """Ids that newuidmap and newgidmap map, for who is not root."""
    if not any(n["type"] == "user" for n in config["linux"]["namespaces"]):
        config["linux"]["namespaces"].append({"type": "user"})
    id_ranges.use_range([[0, id_ranges.FIRST, id_ranges.COUNT]])(config, bundle)


def hold_namespaces(box):
    """The pid of a process of the box's user with namespaces of its own; it ends with the box."""
    user = ["--map-root-user"] if box.uid is not None else []
    become = box.runtime.prefix[len(harness.WRAPPER):-1]
    process = subprocess.Popen([*become, "unshare", *user, "--net", "--ipc", "sleep", "infinity"],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    box.helpers.append(process)
    own = os.readlink("/proc/self/ns/ipc")
    assert harness.eventually(lambda: os.readlink(f"/proc/{process.pid}/ns/ipc") != own)
    return process.pid


def join_namespaces(config, pid):
    for entry in config["linux"]["namespaces"]:
        if entry["type"] in ("user", "network", "ipc"):
            name = {"network": "net"}.get(entry["type"], entry["type"])
            entry["path"] = f"/proc/{pid}/ns/{name}"
    for key in ("uidMappings", "gidMappings", "sysctl"):
        config["linux"].pop(key, None)


def comparable_facts(text, host):
    """What the container's program sees, without what differs in each container."""
    raw = dict(Facts(text).raw)
    raw["leads"] = [raw[key] == raw["pid"] for key in ("sid", "pgid")]
    for key in ("stat", "pid", "ppid", "sid", "pgid", "comm", "args"):
        raw.pop(key, None)
    # SigQ is of all processes of the uid.
    keep = re.compile(r"(Uid|Gid|Groups|Umask|Cap\w+|NoNewPrivs|Seccomp\w*|Sig(?!Q)\w+):")
    raw["status"] = [line for line in raw["status"].splitlines() if keep.match(line)]
    mounts = [Mount(line) for line in raw["mountinfo"].splitlines()]
    # By some of the ways to a read-only mount its file system is read-only as well.
    either = {"ro", "rw"}
    # The kernel lists them by their ids, and a fallback may make one sooner; those on top of each
    # other stay in order.
    mounts.sort(key=lambda m: m.destination)
    raw["mountinfo"] = [(m.destination, m.type, os.path.basename(m.root), sorted(m.options),
                         [p.split(":")[0] for p in sorted(m.propagation)], m.source,
                         sorted(set(m.super_options) - either)) for m in mounts]
    raw["ns"] = {kind: value == host[kind] for kind, value in raw["ns"].items()}
    raw["fds"] = {fd: re.sub(r"\d+$", "", path) for fd, path in raw["fds"].items()}
    return raw


def differences(expected, found):
    return [f"{key}: {found.get(key)!r} instead of {expected.get(key)!r}"
            for key in sorted(expected.keys() | found.keys())
            if expected.get(key) != found.get(key)]


class Fault:
    """A point and how it fails."""

    def __init__(self, point, name, repeat):
        self.point = point
        self.name = name
        self.repeat = repeat

    @property
    def how(self):
        number = getattr(errno, self.name)
        return f"{number}{'+' if self.repeat else ''}:{self.point.role}", str(self.point.index)

    def __str__(self):
        return f"{self.point} fails with {self.name}{' from there on' if self.repeat else ''}"


class Study(kill_points.Study):
    """One verb of one runtime in one box, under faults."""

    def __init__(self, box, verb):
        super().__init__(box, verb.split(" with ")[0])
        self.terminal = "terminal" in verb
        self.console = os.path.join(box.dir, "console.sock") if "console" in verb else None
        self.listener = None
        holder = hold_namespaces(box) if "joined" in verb else None
        if "ranges" in verb and box.mode == "user":
            lines = f"{{name}}:{id_ranges.FIRST}:{id_ranges.COUNT}\n"
            self.wrap = id_ranges.Host(box, lines).wrap

        def edit(config, bundle):
            enrich(config, bundle)
            config["process"]["terminal"] = self.terminal or self.console is not None
            if holder:
                join_namespaces(config, holder)
            if "ranges" in verb:
                use_ranges(config, bundle)
            if "pids" in verb:
                bundles.drop_namespace(config, "pid")
            if "pids" in verb and box.mode == "user":  # who may not mount another procfs then
                bundles.mount_at(config, "/proc").update(type="bind", source="/proc",
                                                         options=["rbind"])

        self.bundle = box.bundle("facts" if self.verb in ("create", "start", "run") else "pause",
                                 edit=edit)
        self.plain = box.bundle("pause")
        self.host = {kind: os.readlink(f"/proc/self/ns/{kind}") for kind in
                     ("cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts")}
        self.expected = None
        self.messages = Counter()
        self.failed = 0
        self.succeeded = 0

    def _args(self):
        extra = ["--console-socket", self.console] if self.console else []
        verb, *rest = super()._args()
        return [verb, *extra, *rest]

    def _prepare(self):
        if self.console:
            self._listen()
        super()._prepare()
        if self.verb == "start":
            self.program_out = self.prepared.out_path

    def _listen(self):
        if self.listener:
            self.listener.close()
            os.unlink(self.console)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(self.console)
        self.box.give(self.console)
        self.listener.listen()

    def _read_terminal(self):
        """The first line on the terminal whose other end came over the console socket."""
        master = attacks.receive_terminal(self.listener)
        assert master is not None, "no terminal came over the console socket"
        text = b""
        try:
            while b"\n" not in text and select.select([master], [], [], 3)[0]:
                text += os.read(master, 65536)
        except OSError:
            pass
        finally:
            os.close(master)
        return text.decode(errors="replace")

    def _read(self, path):
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def _facts(self):
        """What the container's program says once it is there, or nothing."""
        path = self.program_out if self.verb == "start" else self.traced_out
        read = self._read_terminal if self.console else lambda: self._read(path)
        line = harness.eventually(
            lambda: [part for part in read().splitlines(True)
                     if part.startswith("{") and part.endswith("\n")], 3)
        return comparable_facts(line[0], self.host) if line else {}

    def _state(self):
        result = self.box.call("state", self.id)
        return json.loads(result.out) if result.rc == 0 else {}

    def _result(self):
        """What the verb has brought about, to be compared with an undisturbed one."""
        if self.verb == "state":
            state = json.loads(self._read(self.traced_out))
            return {key: value for key, value in state.items() if key not in NOT_COMPARED}
        if self.verb == "kill":
            return {"status": harness.eventually(
                lambda: self._state().get("status") == "stopped" and "stopped")}
        if self.verb.startswith("delete"):
            return {"left": residue.wait_for_none(self.box.leavings)}
        if self.verb == "create":
            with open(self.pid_file, encoding="ascii") as file:
                state = self._state()
                pid_is_right = int(file.read()) == state.get("pid")
            self.box.must("start", self.id)
            return {"pid file": pid_is_right, **self._facts()}
        return self._facts()

    def prepare_and_count(self):
        found = self.points()
        self._prepare()
        assert self._traced("count", "/dev/null") == 0
        self.expected = self._result()
        assert self.expected, "no result of an undisturbed run"
        self.box.must("delete", "--force", self.id)
        return [point for point in found if point.name not in INFALLIBLE]

    def _complaints(self, rc):
        """What is wrong with a failure of the runtime's own calls."""
        lines = [line for line in self._read(self.traced_err).splitlines()
                 if not line.startswith("inject: done")]
        text = "\n".join(lines)
        if rc >= 126:
            return [f"rc {rc}: {text}"]
        self.messages[re.sub(r"\d+", "N", text.replace(self.id, "ID"))] += 1
        said = [line for line in lines if line.startswith("coracle: ")]
        if len(lines) != 1 or not said:
            return [f"not one line: {text!r}"]
        if CRASH.search(text):
            return [text]
        rest = re.sub(r"^coracle: |" + "|".join(os.strerror(getattr(errno, e)) for e in ERRNOS),
                      "", text, flags=re.IGNORECASE)
        return [] if re.search(r"[a-z_]{4}", rest) else [f"names nothing: {text!r}"]

    def _recorded(self):
        """Whether the container says itself what it could not be given."""
        return bool(self._state().get("degradations") or
                    "degradations" in json.dumps(self._state()))

    def _judge(self, fault, rc):
        if fault.point.name in INFALLIBLE:  # another call was chosen, and this time it was there
            return []
        if fault.repeat and fault.point.name == "accept4" and rc is None:
            return []  # init waits until the host has room for a connection
        if rc is None:
            return [f"the verb did not end within {kill_points.TIME} s"]
        if rc != 0:
            self.failed += 1
            untold = fault.repeat and fault.point.name == "write"  # to standard error too
            return [] if fault.point.loading or untold else self._complaints(rc)
        self.succeeded += 1
        call = (fault.point.name, fault.name)
        if call in MEANINGS or self.verb.startswith("run") and call in FALLBACKS:
            return []
        # A terminal that was hung up; output that nobody takes, which does not end a program.
        if self.terminal and (call == ("read", "EIO") or call[0] == "write"):
            return []
        # Told that it is created, it ends: `state` says so. Nobody waits for it then.
        last = (self.verb.startswith("create") and fault.point.role > 0
                and call[0].startswith(("recv", "accept", "poll")))
        if last and harness.eventually(lambda: self._state().get("status") == "stopped", 0.5):
            return []
        try:
            wrong = differences(self.expected, self._result())
        except (AssertionError, OSError, ValueError, StopIteration) as error:
            return [f"rc 0, but: {error}"]
        return [f"rc 0, but {text}" for text in wrong] if wrong and not self._recorded() else []

    def attempt_fault(self, fault):
        box = self.box
        self._prepare()
        rc = self._traced(*fault.how)
        harm = []
        if self.reached is None:
            self.missed += 1
        else:  # the way there differs by a call or two: what was really reached counts
            fault.point.set_number(self.reached)
            harm = self._judge(fault, rc)
        harm += self._clean()
        if harm or self.verb in ("create", "run"):
            harm += self._again()
        return harm

    def _again(self):
        """The same id can be used again, also of who is another user outside: his dead are reaped."""
        residue.reap_children()
        for args in (["create", "--bundle", self.plain.path, self.id],
                     ["delete", "--force", self.id]):
            result = self.box.call(*args, timeout=kill_points.TIME)
            if result.rc != 0:
                return [f"again: {args[0]}: {result.err.strip()}"]
        return []


def choose(points, errnos, options):
    faults = [Fault(point, name, options.repeat) for point in points for name in errnos
              if (not options.call or point.name in options.call)
              and not (options.repeat and name in ("EINTR", "EAGAIN"))]
    if options.sample is None or options.sample >= len(faults):
        return faults
    faults = random.Random(options.seed).sample(faults, options.sample)
    return sorted(faults, key=lambda fault: (fault.point.role, fault.point.index, fault.name))


def study_verb(box, verb, options, progress=None):
    """The study, [(fault, harm)] of those that went wrong, and how many were tried."""
    study = Study(box, verb)
    faults = choose(study.prepare_and_count(), options.errno or ERRNOS, options)
    bad = []
    for number, fault in enumerate(faults):
        if progress:
            progress(number, fault)
        harm = study.attempt_fault(fault)
        if harm:
            bad.append((fault, harm))
    return study, bad, len(faults)


def main():
    parser = kill_points.make_parser(__doc__.splitlines()[0], VERBS)
    parser.add_argument("--errno", action="append", choices=ERRNOS)
    parser.add_argument("--call", action="append")
    parser.add_argument("--repeat", action="store_true")
    parser.add_argument("--messages", action="store_true")
    options = parser.parse_args()
    total = 0
    with kill_points.session(options, parser) as (make_box, progress):
        for verb in options.verb or VERBS:
            box = make_box()
            study, bad, count = study_verb(box, verb, options, progress)
            print(f"{verb}: {count} points, {len(bad)} wrong ({study.failed} failed, "
                  f"{study.succeeded} succeeded"
                  + (f", {study.missed} not reached)" if study.missed else ")"), flush=True)
            for fault, harm in bad:
                print(f"  {fault}: " + "; ".join(harm), flush=True)
            for text, times in study.messages.most_common() if options.messages else ():
                print(f"  {times} x {text}", flush=True)
            total += len(bad)
            box.close()
    return 1 if total else 0


if __name__ == "__main__":
    sys.exit(main())
