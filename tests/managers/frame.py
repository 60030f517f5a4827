"""What the suites of the managers share: a step is done with coracle and with a control, and compared.

A suite is a module with
    MANAGER    a class derived from Manager: one manager that is set up to use one runtime
    STEPS      a Steps: what is done
    CONTROL    the runtime to compare with, when the caller names none
    EXPLAINED  the differences that are as they should be, a list of Explained
and a docstring that says what is tried.
"""

import fcntl
import os
import re
import select
import struct
import subprocess
import termios
import time
from dataclasses import dataclass, field


class NotSo(Exception):
    """What a step requires is not so. Under one runtime only, that is a difference; under both, the
    step shows nothing and fails."""


def require(condition, text):
    if not condition:
        raise NotSo(text)


def eventually(ask, text, seconds=20):
    """The first true answer of `ask`; NotSo if there is none in time."""
    end = time.monotonic() + seconds
    while True:
        answer = ask()
        if answer:
            return answer
        require(time.monotonic() < end, f"{text}: not within {seconds} s")
        time.sleep(0.05)


@dataclass
class Runtime:
    name: str
    path: str


@dataclass
class Outcome:
    code: int
    out: str
    err: str


@dataclass
class Explained:
    """Lines of a step that may differ: those that `lines`, a regular expression, finds in full."""

    step: str
    lines: str
    reason: str


class Manager:
    """A manager that uses one runtime. What is recorded is compared; what changes from run to run
    is replaced by a word first."""

    # (regular expression, word), applied to what is recorded.
    SAME = ()

    def __init__(self, runtime, directory, options):
        self.runtime = runtime
        self.directory = directory
        self.options = options
        self.lines = []
        self.said = []
        self.env = None

    def open(self):
        """Sets the manager up: images, daemons."""

    def close(self):
        """Takes away all that open() and the steps have made."""

    def clean(self):
        """After each step: takes away what the step has left."""

    def facts(self):
        """Words for what this host has; a step that needs another one is skipped."""
        return set()

    def execute(self, *argv, stdin=None, env=None, seconds=60, cwd=None, pass_fds=()):
        """What `argv` did; nothing is recorded. What has no end in time is killed: code 124."""
        process = subprocess.Popen(
            [str(word) for word in argv], text=True, errors="replace", cwd=cwd,
            env={**self.env, **env} if env and self.env else env or self.env,
            stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
            pass_fds=pass_fds)
        try:
            out, err = process.communicate(stdin, timeout=seconds)
            code = process.returncode
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            code, err = 124, err + f"\nno end after {seconds} s"
        if err.strip():
            self.said.append(f"{' '.join(map(str, argv[-4:]))}: {err.strip()[-600:]}")
        return Outcome(code, out, err)

    def on_terminal(self, *argv, keys=(), env=None, seconds=30, rows=31, columns=97):
        """What `argv` did on a terminal of its own; nothing is recorded. `keys` are pairs: when the
        first has been seen after what was typed before, the second is typed."""
        master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        process = subprocess.Popen(
            [str(word) for word in argv], stdin=slave, stdout=slave, stderr=slave, close_fds=True,
            env={**self.env, **env} if env and self.env else env or self.env, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(slave)
        seen, mark, keys, end = b"", 0, list(keys), time.monotonic() + seconds
        try:
            while time.monotonic() < end:
                if select.select([master], [], [], 0.2)[0]:
                    try:
                        data = os.read(master, 65536)
                    except OSError:  # EIO: nobody has the other end
                        break
                    seen += data
                if keys and keys[0][0].encode() in seen[mark:]:
                    mark = len(seen)
                    os.write(master, keys.pop(0)[1].encode())
            else:
                process.kill()
                self.said.append(f"terminal: no end after {seconds} s")
        finally:
            os.close(master)
        return Outcome(process.wait(), seen.decode(errors="replace").replace("\r\n", "\n"), "")

    def plain(self, text):
        """`text` without what changes from run to run."""
        for word, stand_in in ((self.runtime.path, "RUNTIME"), (str(self.directory), "DIR")):
            text = text.replace(word, stand_in)
        text = re.sub(r"\b[0-9a-f]{64}\b", "ID", text)
        text = re.sub(r"\b[0-9a-f]{12}\b", "ID", text)
        for expression, stand_in in self.SAME:
            text = re.sub(expression, stand_in, text)
        return re.sub(rf"\b{re.escape(self.runtime.name)}\b", "RUNTIME", text)

    def note(self, label, value):
        """Records that `label` is `value`, one line for each line of it."""
        for line in str(value).splitlines() or [""]:
            self.lines.append(self.plain(f"{label}: {line}").rstrip())

    def note_outcome(self, label, outcome, stderr=False):
        """Records exit code and output; of the words on standard error only if `stderr` asks."""
        self.note(label, f"exit code {outcome.code}")
        if outcome.out.strip():
            self.note(label, outcome.out.strip())
        if stderr and outcome.err.strip():
            self.note(f"{label} (stderr)", outcome.err.strip())
        return outcome


@dataclass
class Step:
    name: str
    act: object
    quick: bool
    needs: frozenset


@dataclass
class Steps:
    """The steps of a suite, in the order of their definition."""

    steps: list = field(default_factory=list)

    def step(self, name, quick=False, needs=()):
        """A step called `name`; `quick` ones are in the short run; `needs` are words of facts()."""
        def keep(act):
            if any(step.name == name for step in self.steps):
                raise ValueError(f"two steps are called {name}")
            self.steps.append(Step(name, act, quick, frozenset(needs)))
            return act
        return keep


@dataclass
class Run:
    """What one step did under one runtime."""

    lines: list
    said: list
    broken: str
    seconds: float


@dataclass
class Result:
    """What became of a step: `same`, `explained`, `skipped`, `different` or `broken`."""

    step: str
    kind: str
    text: str = ""
    seconds: tuple = ()

    @property
    def failed(self):
        return self.kind in ("different", "broken")


def run_step(step, manager):
    manager.lines, manager.said = [], []
    broken = ""
    start = time.monotonic()
    try:
        step.act(manager)
    except NotSo as error:
        broken = str(error)
    except Exception as error:  # whatever a step stumbles over is its result
        broken = f"{type(error).__name__}: {error}"
    seconds = time.monotonic() - start
    if broken:
        manager.note("not so", broken)
    lines, said = manager.lines, manager.said
    manager.clean()
    return Run(lines, said, broken, seconds)


def differing(ours, theirs):
    """The lines that one of the two has and the other has not, each with its side."""
    found = [("coracle", line) for line in ours if ours.count(line) > theirs.count(line)]
    found += [("control", line) for line in theirs if theirs.count(line) > ours.count(line)]
    return list(dict.fromkeys(found))


def describe(lines, ours, theirs):
    text = [f"{side}: {line}" for side, line in lines]
    for side, run in (("coracle", ours), ("control", theirs)):
        text += [f"{side} said: {part}" for said in run.said[-3:] for part in said.splitlines()]
    return "\n".join(text)


def compare(step, ours, theirs, explained):
    """The Result of a step from its two runs."""
    seconds = (ours.seconds, theirs.seconds)
    lines = differing(ours.lines, theirs.lines)
    reasons = []
    unexplained = []
    for side, line in lines:
        reason = next((known.reason for known in explained
                       if known.step == step.name and re.fullmatch(known.lines, line)), None)
        if reason is None:
            unexplained.append((side, line))
        else:
            reasons.append(reason)
    if unexplained:
        return Result(step.name, "different", describe(unexplained, ours, theirs), seconds)
    if reasons:
        return Result(step.name, "explained", "\n".join(dict.fromkeys(reasons)), seconds)
    if ours.broken:
        return Result(step.name, "broken", describe([("both", ours.broken)], ours, theirs), seconds)
    if ours.lines != theirs.lines:
        return Result(step.name, "different", "the same lines in another order:\n" + "\n".join(
            f"coracle: {a}\ncontrol: {b}" for a, b in zip(ours.lines, theirs.lines) if a != b),
            seconds)
    if not ours.lines:
        return Result(step.name, "broken", "the step records nothing", seconds)
    return Result(step.name, "same", "", seconds)
