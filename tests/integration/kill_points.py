#!/usr/bin/python3
"""Kills a runtime before every system call of every process of a verb, and looks what stays.

After each kill, one `delete --force ID` must succeed and leave no process, mount, state entry or
file within a second, and the same id must be usable again.

    kill_points.py [--user|--root] [--verb VERB]... [--hooks] [--sample N] [--seed S] [--verbose]

With --hooks the container has hooks of every kind.

Prints `VERB: N points, M with residue` and the points with residue; exits 1 if there are any."""

import argparse
import contextlib
import os
import random
import re
import subprocess
import sys
import tempfile

import harness
import residue

INJECT = os.path.abspath(os.environ.get(
    "CORACLE_INJECT", os.path.join(os.path.dirname(harness.GUEST), "coracle-inject")))
VERBS = ("create", "start", "run", "sandbox", "exec", "exec --pid-file", "kill", "delete",
         "delete --force")
TIME = 10.0
# Programs of the host that the runtime runs: what befalls them is theirs to say.
OTHERS = {"newuidmap", "newgidmap", "getent", "getsubids"}


def system_call_names():
    header = "/usr/include/x86_64-linux-gnu/asm/unistd_64.h"
    try:
        with open(header, encoding="ascii") as file:
            return {int(number): name for name, number in
                    re.findall(r"__NR_(\w+) (\d+)", file.read())}
    except OSError:
        return {}


class Point:
    """The `index`-th system call of process `role`. `loading`: of the loader or the C library,
    before anything of the runtime's own."""

    def __init__(self, role, index, number, names, loading):
        self.loading = loading
        self.role = int(role)
        self.index = int(index)
        self.names = names
        self.set_number(int(number))

    def set_number(self, number):
        self.name = self.names.get(number, str(number))

    def __str__(self):
        return f"process {self.role}, call {self.index} ({self.name})"


def with_hooks(config, _):
    """An `edit` of a bundle: a hook of every kind."""
    config["hooks"] = {kind: [{"path": "/bin/true"}] for kind in
                       ("prestart", "createRuntime", "createContainer", "poststart", "poststop")}
    config["hooks"]["startContainer"] = [{"path": "/bin/guest", "args": ["guest", "exit", "0"]}]


class Study:
    """One verb of one runtime in one box."""

    def __init__(self, box, verb, edit=None):
        self.box = box
        self.verb = verb
        self.tail = ["--force"] if "--force" in verb else []
        self.bundle = box.bundle(*(("exit", "0") if verb == "run" else ("pause",)), edit=edit)
        self.pid_file = box.pid_file()
        self.exec_pid_file = box.pid_file()
        self.id = box.new_id()
        self.prepared = None
        self.watched = None
        self.reached = None  # the number of the system call that the tracer has come to
        self.missed = 0
        self.wrap = []  # what stands before the runtime's command line
        self.traced_out = os.path.join(box.dir, f"traced-{self.id}.out")
        self.traced_err = os.path.join(box.dir, f"traced-{self.id}.err")

    def _args(self):
        if self.verb in ("create", "run"):
            return [self.verb, "--pid-file", self.pid_file, "--bundle", self.bundle.path, self.id]
        if self.verb == "sandbox":
            return [self.verb, "--name", self.id, "--file", "/run/f=text", "--tmpfs", "/opt",
                    "--", "true"]
        if self.verb.startswith("exec"):
            more = ["--detach", "--pid-file", self.exec_pid_file] if "--pid-file" in self.verb else []
            return ["exec", *more, self.id, "/bin/guest", "exit", "0"]
        if self.verb == "kill":
            return ["kill", self.id, "KILL"]
        return [self.verb.split()[0], *self.tail, self.id]

    def _prepare(self):
        """Makes what the verb needs: a created container, or a running one."""
        box = self.box
        if os.path.exists(self.pid_file):
            os.unlink(self.pid_file)
        if self.verb in ("create", "run", "sandbox"):
            return
        self.prepared = box.must("create", "--pid-file", self.pid_file, "--bundle",
                                 self.bundle.path, self.id)
        with open(self.pid_file, encoding="ascii") as file:
            self.watched = int(file.read())
        if self.verb in ("exec", "exec --pid-file", "kill", "delete --force"):
            box.must("start", self.id)

    def _traced(self, *how):
        """Runs the verb under the tracer; for start the waiting init is traced too, by root."""
        runtime = self.box.runtime
        other = [str(self.watched)] if self.verb == "start" and os.geteuid() == 0 else []
        command = [INJECT, *how, *other, "--", *self.wrap, *runtime.argv(*self._args())]
        for path in (self.traced_out, self.traced_err):
            if os.path.exists(path):
                os.unlink(path)  # an earlier container may still write into it
        with open(self.traced_out, "wb") as out, open(self.traced_err, "wb") as err:
            os.fchmod(out.fileno(), 0o666)
            os.fchmod(err.fileno(), 0o666)
            process = runtime.popen(command, out, err)
            try:
                status = harness.wait_for(process, TIME)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                status = None
        with open(self.traced_err, encoding="utf-8", errors="replace") as text:
            said = re.search(r"^inject: done: (\d+)$", text.read(), re.MULTILINE)
        self.reached = int(said.group(1)) if said else None
        return status

    def points(self):
        """Every system call of every process of the runtime, up to the payload's own."""
        self._prepare()
        path = os.path.join(self.box.dir, f"count-{self.id}")
        open(path, "wb").close()
        os.chmod(path, 0o666)
        rc = self._traced("count", path)
        assert rc == 0, f"{self.verb} failed under the tracer: {rc}"
        names, found, loading, others = system_call_names(), [], set(), set()
        program = os.path.basename(self.box.runtime.path)
        with open(path, encoding="utf-8", errors="replace") as file:
            for line in file:
                role, second, rest = line.rstrip("\n").split(" ", 2)
                if second == "exec":
                    loading.add(role)
                    if os.path.basename(rest) in OTHERS:
                        others.add(role)
                    if role == "0" and os.path.basename(rest) == program:
                        found = []  # what came before was setpriv or the like
                elif role not in others:
                    if names.get(int(rest)) == "fcntl":  # each program's first own call
                        loading.discard(role)
                    found.append(Point(role, second, rest, names, role in loading))
        with residue.reaping():  # a detached process of exec
            self.box.must("delete", "--force", self.id)
        assert self._part_of_a_pid_file() == []
        assert not residue.wait_for_none(self.box.leavings), "left without any kill"
        return found

    def attempt(self, point):
        """Kills at `point`, removes by force; returns what stays or does not work."""
        harm = []
        self._prepare()
        if self._traced(f"kill:{point.role}", str(point.index)) is None:
            harm.append(f"the verb did not end within {TIME} s")
        self.missed += self.reached is None
        if self.verb.startswith("exec"):
            harm += self._part_of_a_pid_file()
            harm += residue.wait_for_none(self._strangers)
        with residue.reaping():
            harm += self._clean()
        return harm + self._again()

    def _part_of_a_pid_file(self):
        """Of an exec: the file is there as a whole or not at all."""
        if not os.path.exists(self.exec_pid_file):
            return []
        with open(self.exec_pid_file, encoding="ascii") as file:
            text = file.read()
        os.unlink(self.exec_pid_file)
        return [] if text.isdigit() else [f"the pid file of the exec holds {text!r}"]

    def _strangers(self):
        """What lives in the container beside its init."""
        return [f"beside init: {text}" for pid, text in self.box.processes() if pid != self.watched]

    def _clean(self):
        """Removes by force; returns what stays."""
        box, harm = self.box, []
        try:
            result = box.call("delete", "--force", self.id, timeout=TIME)
            if result.rc != 0:
                harm.append(f"delete --force: rc {result.rc}: {result.err.strip()}")
        except AssertionError as error:
            harm.append(f"delete --force: {error}")
        left = residue.wait_for_none(box.leavings)
        harm += left
        if left:
            residue.end_processes(box.processes())
        return harm

    def _again(self):
        harm = []
        residue.reap_children()
        for args in (["create", "--bundle", self.bundle.path, self.id], ["start", self.id],
                     ["delete", "--force", self.id]):
            try:
                result = self.box.call(*args, timeout=TIME)
            except AssertionError as error:
                return [*harm, f"again: {error}"]
            if result.rc != 0:
                harm.append(f"again: {args[0]}: {result.err.strip()}")
        left = residue.wait_for_none(self.box.leavings)
        return harm + [f"again: {text}" for text in left]


def choose(points, count, seed):
    """All points, or a sample that takes each process in its share."""
    if count is None or count >= len(points):
        return points
    return sorted(random.Random(seed).sample(points, count),
                  key=lambda point: (point.role, point.index))


def study_verb(box, verb, sample=None, seed=1, progress=None, edit=None):
    """[(point, harm)] for the points that left something, how many points were tried, and how many
    of them were not reached, since a process took another way that time."""
    study = Study(box, verb, edit)
    points = choose(study.points(), sample, seed)
    bad = []
    for number, point in enumerate(points):
        if progress:
            progress(number, point)
        harm = study.attempt(point)
        if harm:
            bad.append((point, harm))
            if box.leavings():
                break  # it would be in the way of the next
    return bad, len(points), study.missed


def make_parser(description, verbs):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--user", action="store_const", const="user", dest="mode", default="user")
    parser.add_argument("--root", action="store_const", const="root", dest="mode")
    parser.add_argument("--verb", action="append", choices=verbs)
    parser.add_argument("--sample", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--verbose", action="store_true")
    return parser


@contextlib.contextmanager
def session(options, parser):
    """A function that makes boxes, and one that shows the progress."""
    if options.mode == "root" and os.geteuid() != 0:
        parser.error("--root needs to be started as root")
    harness.become_subreaper()
    with tempfile.TemporaryDirectory(prefix="coracle-points-") as directory:
        os.chmod(directory, 0o755)
        runtime = harness.reachable(harness.RUNTIME, directory)

        def progress(number, point):
            if options.verbose:
                print(f"  {number}: {point}", file=sys.stderr, flush=True)

        yield (lambda: harness.Box(options.mode, directory, runtime)), progress


def main():
    parser = make_parser(__doc__.splitlines()[0], VERBS)
    parser.add_argument("--hooks", action="store_const", const=with_hooks)
    options = parser.parse_args()
    total = 0
    with session(options, parser) as (make_box, progress):
        for verb in options.verb or VERBS:
            box = make_box()
            bad, count, missed = study_verb(box, verb, options.sample, options.seed, progress,
                                            options.hooks)
            print(f"{verb}: {count} points, {len(bad)} with residue"
                  + (f" ({missed} not reached)" if missed else ""), flush=True)
            for point, harm in bad:
                print(f"  {point}: " + "; ".join(harm), flush=True)
            total += len(bad)
            box.close()
    return 1 if total else 0


if __name__ == "__main__":
    sys.exit(main())
