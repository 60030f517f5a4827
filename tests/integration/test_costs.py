"""What each verb costs in system calls, page faults and instructions, which unlike time are the same
every time.

costs.json holds what is right, for a container without a cgroup and with a kept filter. A change that
is meant is taken over by CORACLE_UPDATE_GOLDEN=1; one that makes a verb cheaper must be too. What the
machine adds (other paths to mask, another C library) has to fit into the tolerance.
"""

import json
import os
import platform
import re
import resource
import subprocess
from pathlib import Path

import pytest

import harness
from test_seccomp import profile, rule

GOLDEN = Path(__file__).with_name("costs.json")
FILTER = profile(rule("SCMP_ACT_ERRNO", "getcpu"))
OPTIONS = ("--cgroup-manager=disabled",)
# Share and number that a count may differ by.
TOLERANCE = {"calls": (0.02, 3), "faults": (0.10, 12), "instructions": (0.08, 0)}


class Meter:
    """Runs verbs, each with the arguments that `words` gives for a fresh container, and counts."""

    def __init__(self, box):
        self.box = box
        self.prefix = box.runtime.prefix
        self.report = os.path.join(box.directory("costs", 0o777), "calls")
        self.costs = {}

    def count_by(self, tracer, pattern, verb, *words):
        """What `tracer`, put before the runtime, writes of it into the report."""
        where = self.prefix.index(self.box.runtime.path)
        self.box.runtime.prefix = [*self.prefix[:where], *tracer, *self.prefix[where:]]
        try:
            self.box.must(verb, *words, options=OPTIONS)
        finally:
            self.box.runtime.prefix = self.prefix
        text = Path(self.report).read_text(encoding="ascii")
        os.unlink(self.report)
        return int(re.search(pattern, text, re.MULTILINE)[1])

    def calls(self, verb, *words, follow=True):
        tracer = ["strace", *(["-f"] if follow else []), "-c", "-U", "calls,name",
                  "-o", self.report]
        self.note(verb, "calls", self.count_by(tracer, r"^ *(\d+) +total$", verb, *words))

    def instructions(self, verb, *words):
        """Those of the caller's own process, outside the kernel."""
        tracer = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
                  f"--log-file={self.report}"]
        self.note(verb, "instructions",
                  self.count_by(tracer, r"Collected : (\d+)", verb, *words))

    def faults(self, verb, *words):
        """The least of three; where something stands before the runtime, without what that costs
        before /bin/true."""
        where = self.prefix.index(self.box.runtime.path)
        bare = min(self.count_faults(lambda: subprocess.run(
            [*self.prefix[:where], "/bin/true"], check=True)) for _ in range(3))
        least = min(self.count_faults(lambda: self.box.must(verb, *words, options=OPTIONS))
                    for _ in range(3))
        self.note(verb, "faults", least - bare if where else least)

    @staticmethod
    def count_faults(work):
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_minflt
        work()
        return resource.getrusage(resource.RUSAGE_CHILDREN).ru_minflt - before

    def note(self, verb, kind, count):
        self.costs.setdefault(verb, {})[kind] = count


def measure(box):
    bundle = box.bundle("exit", "0", edit=FILTER)
    waiting = box.bundle("pause", edit=FILTER)
    box.must("run", "--bundle", bundle.path, box.new_id(), options=OPTIONS)  # keeps the filter
    meter = Meter(box)
    meter.calls("run", "--bundle", bundle.path, box.new_id())
    name = box.new_id()
    meter.calls("create", "--bundle", waiting.path, name, follow=False)
    meter.calls("start", name, follow=False)
    for verb, words in (("state", [name]), ("list", []),
                        ("exec", [name, "/bin/guest", "exit", "0"])):
        meter.calls(verb, *words)
        meter.faults(verb, *words)
    for verb, words in (("state", [name]), ("list", []), ("plan", ["--bundle", bundle.path])):
        meter.instructions(verb, *words)
    meter.calls("kill", name, "KILL", follow=False)
    meter.calls("delete", "--force", name, follow=False)
    return meter.costs


def differences(found, golden):
    for verb, kinds in found.items():
        for kind, count in kinds.items():
            wanted = golden.get(verb, {}).get(kind)
            share, number = TOLERANCE[kind]
            if wanted is None or abs(count - wanted) > wanted * share + number:
                yield f"{verb}: {count} {kind}, costs.json has {wanted}"


def test_a_verb_costs_what_it_did(box, mode):
    found = measure(box)
    golden = json.loads(GOLDEN.read_text(encoding="ascii")) if GOLDEN.exists() else {}
    if os.environ.get("CORACLE_UPDATE_GOLDEN"):
        golden[mode] = found
        GOLDEN.write_text(json.dumps(golden, indent=1, sort_keys=True) + "\n", encoding="ascii")
    wrong = list(differences(found, golden.get(mode, {})))
    assert wrong == [], "; ".join(wrong)


@pytest.mark.modes("root")
def test_no_library_is_loaded(box):
    """Each is ten system calls and a fifth of the page faults of `state`."""
    text = subprocess.run(["readelf", "-d", box.runtime.path], check=True, text=True,
                          stdout=subprocess.PIPE).stdout
    assert "NEEDED" not in text


@pytest.mark.modes("root")
def test_what_init_does_without_is_not_in_it(box):
    """Each start copies it: contrib/adr/0024-small-init.md, which other libraries make larger."""
    if platform.libc_ver()[1] != "2.36":
        pytest.skip(f"machine: another C library: {platform.libc_ver()}")
    program = os.path.join(harness.BUILD, "src/launch/coracle-init")
    text = subprocess.run(["nm", program], check=True, text=True, stdout=subprocess.PIPE).stdout
    names = re.findall(r" [A-Za-z] (\w+)$", text, re.MULTILINE)
    assert {"main", "malloc"} <= set(names)
    unwanted = re.compile(r"vfprintf|vfwprintf|setlocale|catgets|gconv|dlopen|demangle")
    assert [name for name in names if unwanted.search(name)] == []
