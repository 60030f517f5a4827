"""Shows that tests/run counts what goes wrong in a test program, by programs that go wrong."""

import json
import os
import tempfile
from pathlib import Path

import on_machine
import suites

GOOD = '<testsuites><testsuite><testcase classname="a" name="b"/></testsuite></testsuites>'
BAD = ('<testsuites><testsuite><testcase classname="a" name="b"><failure message="m">t</failure>'
       '</testcase><testcase classname="a" name="c"/></testsuite></testsuites>')
SKIP = '<testsuite><testcase name="b"><skipped message="m"/></testcase></testsuite>'

# what the program does with $4, the name of its report, and the counts: passed, failed, skipped
CATCH2_CASES = [
    (f"echo '{GOOD}' >$4", (1, 0, 0)),
    (f"echo '{BAD}' >$4; exit 1", (1, 1, 0)),
    (f"echo '{SKIP}' >$4", (0, 0, 1)),
    (f"echo '{GOOD}' >$4; exit 3", (1, 1, 0)),
    (f"echo '{GOOD}' >$4; kill -SEGV $$", (1, 1, 0)),
    ("echo '<testsuites><testcase' >$4", (0, 1, 0)),
    ("echo '<testsuites/>' >$4", (0, 1, 0)),
    ("true", (0, 1, 0)),
]
PLAIN_CASES = [
    ("exit 0", (1, 0, 0)),
    ("exit 1", (0, 1, 0)),
    ("exit 77", (0, 0, 1)),
    ("kill -KILL $$", (0, 1, 0)),
    ("sleep 60", (0, 1, 0)),
]


def count(folder, script, catch2):
    """The counts that the runner has for a program of one script, through a fake `meson`."""
    program = folder / "program"
    mark = "# list-reporters\n" if catch2 else ""
    program.write_text(f"#!/bin/sh\n{mark}{script}\n", encoding="utf-8")
    program.chmod(0o755)
    tests = [{"name": "t", "suite": ["coracle:unit"], "cmd": [str(program)], "env": {},
              "timeout": 1, "workdir": None}]
    context = suites.Context(folder, folder, folder, folder)
    counts = suites.run_tests(context, "label", tests, {})
    return counts.passed, counts.failed, counts.skipped


def check_machines(folder):
    """What has become of the tests if a machine does not start, and which files it would be given."""
    tests = folder / "tests/integration"
    tests.mkdir(parents=True)
    (tests / "test_here.py").write_text('@pytest.mark.machine("native",\n    "vm")\n')
    (tests / "test_elsewhere.py").write_text('@pytest.mark.machine("uml")\n# vm\n')
    given = []

    def execute(command, *_):
        given.extend(word for word in command if word.endswith(".py"))
        return 125, "the machine vm could not be built"

    context = suites.Context(folder, folder, folder, folder)
    counts = on_machine.run_on_machine(context, execute, "vm")
    if os.geteuid() != 0:
        return [] if counts.skipped == 1 else ["tests/support: machines without root: no skip"]
    problems = []
    if counts.failed != 1 or "could not be built" not in counts.failures[0][1]:
        problems.append(f"tests/support: a machine that was not built: {counts}")
    if given != ["coracle/tests/integration/test_here.py"]:
        problems.append(f"tests/support: the machine vm was given {given}")
    return problems


def check(_root=None):
    problems = []
    with tempfile.TemporaryDirectory(prefix="coracle-report-") as name:
        folder = Path(name)
        for cases, catch2 in ((CATCH2_CASES, True), (PLAIN_CASES, False)):
            for script, expected in cases:
                found = count(folder, script, catch2)
                if found != expected:
                    problems.append(f"tests/support: {script!r}: {expected} expected, {found} found")
        if suites.choose_tests(json.dumps([{"suite": ["coracle:lint"]}]), "unit"):
            problems.append("tests/support: a test of another suite was chosen")
        problems += check_machines(folder)
    return problems
