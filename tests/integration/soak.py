#!/usr/bin/python3
"""Many containers: at once, on one id, one after the other.

    soak.py [--user|--root] [storm|load|cycles]... [--seconds N] [--parallel N] [--cycles N]

storm: 50 processes create, start, kill and delete one id for N seconds (60). Exactly one creation
wins each time, every verb ends by itself within 60 s, and the last delete cleans up.
load: N containers (200) are created at once, then started, then deleted; none may fail.
cycles: N times (10000) create, start, delete; nothing may be left of them on the host.

Prints figures; exits 1 if anything is wrong. Without a name all three run."""

import argparse
import collections
import concurrent.futures
import contextlib
import os
import random
import subprocess
import sys
import tempfile
import threading
import time

import harness
import residue

STORM_PROCESSES = 50
PATIENCE = 60.0
FILE_SLACK = 200
# What a verb of the storm may say when another process has been faster.
LOST = ("already exists", "does not exist", "not running", "already running", "has stopped",
        "is not stopped", "still being created", "deleted while", "being created or deleted",
        "is not finished", "not taken it", "ended at stage", "was killed by SIGKILL")


class Caller:
    """Calls the runtime without a harness around each call."""

    def __init__(self, box):
        self.box = box
        self.bundle = box.bundle("pause")
        self.lock = threading.Lock()
        self.callees = set()

    def __call__(self, *args):
        """rc, standard error"""
        runtime = self.box.runtime
        with tempfile.TemporaryFile() as err:
            with self.lock:
                process = runtime.popen(runtime.argv(*args), subprocess.DEVNULL, err)
                self.callees.add(process.pid)
            try:
                rc = process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                return None, f"no end after {PATIENCE} s"
            finally:
                self.callees.discard(process.pid)
            err.seek(0)
            return rc, err.read().decode(errors="replace").strip()

    def reap(self):
        """Reaps the containers that have come to this process, none of the calls."""
        with self.lock:
            residue.reap_children(set(self.callees))

    def create(self, name):
        return self("create", "--bundle", self.bundle.path, name)


# ---- storm


class Storm:
    def __init__(self, box, seconds, seed):
        self.call = Caller(box)
        self.box = box
        self.id = box.new_id("storm")
        self.end = time.monotonic() + seconds
        self.seed = seed
        self.lock = threading.Lock()
        self.counts = collections.Counter()
        self.wrong = []

    def _one(self, number):
        choice = random.Random(self.seed * 1000 + number)
        while time.monotonic() < self.end:
            verb = choice.choice(("create", "create", "start", "kill", "delete", "delete --force",
                                  "state"))
            rc, text = self.call.create(self.id) if verb == "create" else \
                self.call("kill", self.id, "KILL") if verb == "kill" else \
                self.call(verb.split()[0], *verb.split()[1:], self.id)
            lost = rc == 1 and len(text.splitlines()) == 1 and any(part in text for part in LOST)
            with self.lock:
                self.counts[verb, "won" if rc == 0 else "lost" if lost else "wrong"] += 1
                if rc != 0 and not lost:
                    self.wrong.append(f"{verb}: rc {rc}: {text}")

    def run(self):
        threads = [threading.Thread(target=self._one, args=(number,))
                   for number in range(STORM_PROCESSES)]
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive():
                thread.join(0.1)
                self.call.reap()
        self._one_winner()
        return self.wrong

    def _one_winner(self):
        """Of fifty creations at once one wins, again and again; then the id is clean."""
        for _ in range(5):
            rc, text = self.call("delete", "--force", self.id)
            if rc != 0:
                self.wrong.append(f"delete: rc {rc}: {text}")
            with concurrent.futures.ThreadPoolExecutor(STORM_PROCESSES) as pool:
                answers = list(pool.map(lambda _: self.call.create(self.id),
                                        range(STORM_PROCESSES)))
            self.call.reap()
            winners = sum(rc == 0 for rc, _ in answers)
            if winners != 1:
                self.wrong.append(f"{winners} creations of one id have won")
            self.wrong += [f"create: rc {rc}: {text}" for rc, text in answers
                           if rc != 0 and "already exists" not in text]
        rc, text = self.call("delete", "--force", self.id)
        if rc != 0:
            self.wrong.append(f"the last delete: rc {rc}: {text}")
        self.wrong += residue.wait_for_none(self.box.leavings)

    def figures(self):
        verbs = sorted({verb for verb, _ in self.counts})
        return ", ".join(f"{verb} {self.counts[verb, 'won']} won {self.counts[verb, 'lost']} lost"
                         for verb in verbs)


# ---- load


def load(box, count):
    """What went wrong, and the seconds of each phase."""
    call = Caller(box)
    names = [box.new_id("load") for _ in range(count)]
    wrong, seconds = [], {}
    steps = {"create": call.create, "start": lambda name: call("start", name),
             "delete --force": lambda name: call("delete", "--force", name)}
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        for verb, step in steps.items():
            began = time.monotonic()
            answers = list(pool.map(step, names))
            seconds[verb] = time.monotonic() - began
            wrong += [f"{verb} {name}: rc {rc}: {text}"
                      for name, (rc, text) in zip(names, answers) if rc != 0]
            if verb == "start":
                result = box.call("list", "--quiet", timeout=PATIENCE)
                listed = set(result.out.split())
                seconds["list"] = result.seconds
                wrong += [f"list does not have {name}" for name in names if name not in listed]
    return wrong + residue.wait_for_none(box.leavings), seconds


# ---- cycles


def _lines(path):
    with contextlib.suppress(OSError), open(path, encoding="utf-8", errors="replace") as file:
        return file.read().splitlines()
    return []


def keyring_count(box):
    """Session keyrings: root sees those of its own containers, of a user only how many keys."""
    if box.uid is None:
        return sum(box.mark in line for line in _lines("/proc/keys"))
    users = [line.split() for line in _lines("/proc/key-users")]
    return sum(int(fields[2].split("/")[0]) for fields in users if fields[0] == f"{box.uid}:")


def host_counts(box):
    """What each container could leave a little of."""
    ids = sum(max(len(_lines(f"/proc/sysvipc/{kind}")) - 1, 0) for kind in ("msg", "sem", "shm"))
    return {"mounts": len(_lines("/proc/self/mountinfo")), "processes": len(box.processes()),
            "open files": int(_lines("/proc/sys/fs/file-nr")[0].split()[0]),
            "state entries": len(os.listdir(box.runtime.root)), "keyrings": keyring_count(box),
            "SysV ids": ids, "cgroups": len(residue.find_cgroups(box.mark))}


def cycles(box, count):
    """What went wrong, the seconds, and the counts before and after."""
    call = Caller(box)
    wrong = []
    name = box.new_id("cycle")

    def once():
        for args in (["create", "--bundle", call.bundle.path, name], ["start", name],
                     ["delete", "--force", name]):
            rc, text = call(*args)
            if rc != 0:
                wrong.append(f"{args[0]}: rc {rc}: {text}")
        call.reap()

    for _ in range(10):  # what is made once for all of them
        once()
    before = host_counts(box)
    began = time.monotonic()
    for _ in range(count):
        once()
    seconds = time.monotonic() - began
    harness.eventually(lambda: not grown(before, host_counts(box)), 10)  # the kernel tidies up later
    return wrong, seconds, before, host_counts(box)


def grown(before, after, alone=False):
    """What has grown. The open files are those of the whole machine: they tell something only
    where nothing else runs on it, and with some slack."""
    slack = {"open files": FILE_SLACK if alone else float("inf")}
    return [f"{key}: {before[key]} -> {after[key]}" for key in before
            if after[key] > before[key] + slack.get(key, 0)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", choices=[[], "storm", "load", "cycles"])
    parser.add_argument("--user", action="store_const", const="user", dest="mode", default="user")
    parser.add_argument("--root", action="store_const", const="root", dest="mode")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--parallel", type=int, default=200)
    parser.add_argument("--cycles", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    harness.become_subreaper()
    wrong = []
    with tempfile.TemporaryDirectory(prefix="coracle-soak-") as session:
        os.chmod(session, 0o755)
        runtime = harness.reachable(harness.RUNTIME, session)
        for what in options.what or ("storm", "load", "cycles"):
            box = harness.Box(options.mode, session, runtime)
            if what == "storm":
                storm = Storm(box, options.seconds, options.seed)
                harm = storm.run()
                print(f"storm: {sum(storm.counts.values())} calls in {options.seconds:g} s by "
                      f"{STORM_PROCESSES} processes: {storm.figures()}; {len(harm)} wrong")
            elif what == "load":
                harm, seconds = load(box, options.parallel)
                print(f"load: {options.parallel} at once: "
                      + ", ".join(f"{verb} {time:.2f} s" for verb, time in seconds.items())
                      + f"; {len(harm)} failed")
            else:
                harm, seconds, before, after = cycles(box, options.cycles)
                harm += grown(before, after, alone=True)
                print(f"cycles: {options.cycles} in {seconds:.1f} s, "
                      f"{1000 * seconds / options.cycles:.1f} ms each: "
                      + ", ".join(f"{key} {before[key]} -> {after[key]}" for key in before)
                      + f"; {len(harm)} wrong")
            for text in harm[:20]:
                print(f"  {text}")
            sys.stdout.flush()
            wrong += harm + box.close()
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
