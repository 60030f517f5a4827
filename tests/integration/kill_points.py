#!/usr/bin/python3
"""Kills a runtime before every system call of every process of a verb, and looks what stays.

After each kill, one `delete --force ID` must succeed and leave no process, mount, state entry or
file within a second, and the same id must be usable again.

    kill_points.py [--user|--root] [--verb VERB]... [--sample N] [--seed S] [--verbose]

Prints `VERB: N points, M with residue` and the points with residue; exits 1 if there are any."""

import argparse
import os
import random
import re
import subprocess
import sys
import tempfile

import harness
import residue

KILL_AT = os.path.abspath(os.environ.get(
    "CORACLE_KILL_AT", os.path.join(os.path.dirname(harness.GUEST), "coracle-kill-at")))
VERBS = ("create", "start", "run", "kill", "delete", "delete --force")
TIME = 10.0


def system_call_names():
    header = "/usr/include/x86_64-linux-gnu/asm/unistd_64.h"
    try:
        with open(header, encoding="ascii") as file:
            return {int(number): name for name, number in
                    re.findall(r"__NR_(\w+) (\d+)", file.read())}
    except OSError:
        return {}


class Point:
    """The `index`-th system call of process `role`."""

    def __init__(self, role, index, number, names):
        self.role = int(role)
        self.index = int(index)
        self.name = names.get(int(number), number)

    def __str__(self):
        return f"process {self.role}, call {self.index} ({self.name})"


class Study:
    """One verb of one runtime in one box."""

    def __init__(self, box, verb):
        self.box = box
        self.verb = verb
        self.tail = ["--force"] if "--force" in verb else []
        self.bundle = box.bundle("exit", "0") if verb == "run" else box.bundle("pause")
        self.pid_file = box.pid_file()
        self.id = box.new_id()
        self.watched = None
        self.killed = False
        self.missed = 0

    def _args(self):
        if self.verb in ("create", "run"):
            return [self.verb, "--pid-file", self.pid_file, "--bundle", self.bundle.path, self.id]
        if self.verb == "kill":
            return ["kill", self.id, "KILL"]
        return [self.verb.split()[0], *self.tail, self.id]

    def _prepare(self):
        """Makes what the verb needs: a created container, or a running one."""
        box = self.box
        if os.path.exists(self.pid_file):
            os.unlink(self.pid_file)
        if self.verb in ("create", "run"):
            return
        box.must("create", "--pid-file", self.pid_file, "--bundle", self.bundle.path, self.id)
        with open(self.pid_file, encoding="ascii") as file:
            self.watched = int(file.read())
        if self.verb in ("kill", "delete --force"):
            box.must("start", self.id)

    def _traced(self, *how):
        """Runs the verb under the tracer; for start the waiting init is traced too, by root."""
        runtime = self.box.runtime
        other = [str(self.watched)] if self.verb == "start" and os.geteuid() == 0 else []
        command = [KILL_AT, *how, *other, "--", *runtime.argv(*self._args())]
        path = os.path.join(self.box.dir, "traced")
        with open(path, "wb") as out:
            os.fchmod(out.fileno(), 0o666)
            process = runtime.popen(command, out, out)
            try:
                status = process.wait(TIME)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                status = None
        with open(path, "rb") as text:
            self.killed = b"kill-at: killed\n" in text.read()
        return status

    def points(self):
        """Every system call of every process of the runtime, up to the payload's own."""
        self._prepare()
        path = os.path.join(self.box.dir, f"count-{self.id}")
        open(path, "wb").close()
        os.chmod(path, 0o666)
        rc = self._traced("count", path)
        assert rc == 0, f"{self.verb} failed under the tracer: {rc}"
        names, found, payload = system_call_names(), [], set()
        program = os.path.basename(self.box.runtime.path)
        with open(path, encoding="utf-8", errors="replace") as file:
            for line in file:
                role, second, rest = line.rstrip("\n").split(" ", 2)
                if second == "exec":
                    if rest.endswith("/guest"):
                        payload.add(role)
                    if role == "0" and os.path.basename(rest) == program:
                        found = []  # what came before was setpriv or the like
                elif role not in payload:
                    found.append(Point(role, second, rest, names))
        self.box.must("delete", "--force", self.id)
        assert not residue.wait_for_none(self.box.leavings), "left without any kill"
        return found

    def attempt(self, point):
        """Kills at `point`, removes by force; returns what stays or does not work."""
        box, harm = self.box, []
        self._prepare()
        if self._traced(str(point.role), str(point.index)) is None:
            harm.append(f"the verb did not end within {TIME} s")
        self.missed += not self.killed
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
        return harm + self._again()

    def _again(self):
        harm = []
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


def study_verb(box, verb, sample=None, seed=1, progress=None):
    """[(point, harm)] for the points that left something, how many points were tried, and how many
    of them were not reached, since a process took another way that time."""
    study = Study(box, verb)
    points = choose(study.points(), sample, seed)
    bad = []
    for number, point in enumerate(points):
        if progress:
            progress(number, point)
        harm = study.attempt(point)
        if harm:
            bad.append((point, harm))
    return bad, len(points), study.missed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--user", action="store_const", const="user", dest="mode", default="user")
    parser.add_argument("--root", action="store_const", const="root", dest="mode")
    parser.add_argument("--verb", action="append", choices=VERBS)
    parser.add_argument("--sample", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    if options.mode == "root" and os.geteuid() != 0:
        parser.error("--root needs to be started as root")
    harness.become_subreaper()
    total = 0
    with tempfile.TemporaryDirectory(prefix="coracle-kill-") as session:
        os.chmod(session, 0o755)
        runtime = harness.reachable(harness.RUNTIME, session)

        def progress(number, point):
            if options.verbose:
                print(f"  {number}: {point}", file=sys.stderr, flush=True)

        for verb in options.verb or VERBS:
            box = harness.Box(options.mode, session, runtime)
            bad, count, missed = study_verb(box, verb, options.sample, options.seed, progress)
            print(f"{verb}: {count} points, {len(bad)} with residue"
                  + (f" ({missed} not reached)" if missed else ""), flush=True)
            for point, harm in bad:
                print(f"  {point}: " + "; ".join(harm), flush=True)
            total += len(bad)
            box.close()
    return 1 if total else 0


if __name__ == "__main__":
    sys.exit(main())
