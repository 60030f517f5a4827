"""The suites that tests/run knows, and how each is started."""

import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import in_memory
from on_machine import run_on_machine
from on_machine_managers import run_managers
from report import Counts, read_junit

# Limits that end what hangs; a slow machine must not meet them.
PYTEST_SECONDS = 2400
PATIENCE = 10  # times the limit that Meson has for a program: it is for a fast, idle machine
SANITIZER_ENV = {
    "ASAN_OPTIONS": "abort_on_error=0:exitcode=99:detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": "halt_on_error=1:exitcode=99:print_stacktrace=1",
}


@dataclass
class Context:
    root: Path
    build: Path
    asan: Path
    results: Path
    pytest: list = field(default_factory=list)  # further arguments, on test machines


def execute(command, timeout, env=None, cwd=None):
    """Exit code and output of `command`; all of its process group is gone when this returns, and the
    command is told to end if this process is killed."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", "--", *command],
                                   stdin=subprocess.DEVNULL, stdout=output,
                                   stderr=subprocess.STDOUT, cwd=cwd, start_new_session=True,
                                   env={**os.environ, **(env or {})})
        note = ""
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            note = f"\nstopped after {timeout} s"
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
        process.wait()
        output.seek(0)
        text = output.read().decode(errors="replace") + note
        return (process.returncode if not note else 124), text


# ---- programs that Meson knows ---------------------------------------------------------------------


def is_catch2(program):
    try:
        return b"list-reporters" in Path(program).read_bytes()
    except OSError:
        return False


def choose_tests(introspection, suite):
    """The tests of `suite` in what `meson introspect --tests` printed; nothing if it is not JSON."""
    try:
        tests = json.loads(introspection)
    except ValueError:
        return None
    return [test for test in tests if any(s.split(":")[-1] == suite for s in test["suite"])]


def run_tests(context, label, tests, env, build=None):
    """Catch2 programs by their report, others by their exit code: 0, or 77 for a skip. They start in
    the build directory, as Meson starts them."""
    counts = Counts()
    for test in tests:
        name = f"{label}/{test['name']}"
        report = context.results / f"{name.replace('/', '-')}.xml"
        report.unlink(missing_ok=True)
        command = list(test["cmd"])
        catch2 = is_catch2(command[0])
        if catch2:
            command += ["-r", "junit", "-o", str(report)]
        try:
            code, text = execute(command, (test.get("timeout") or 60) * PATIENCE, {**test["env"], **env},
                                 test.get("workdir") or build)
        except OSError as error:
            counts.add_failure(name, f"not started: {error}")
            continue
        if catch2:
            counts += read_junit(report, name, code, text)
        elif code == 77:
            counts.add_skip(f"{name}: {text.strip()[-200:]}")
        elif code == 0:
            counts.passed += 1
        else:
            counts.add_failure(name, f"exit code {code}\n{text}")
    return counts


def run_meson_suite(context, build, suite, required=True, env=None):
    """The tests of one Meson suite of one build."""
    counts = Counts()
    label = f"{build.name}/{suite}"
    code, text = execute(["meson", "introspect", "--tests", str(build)], 60)
    tests = choose_tests(text, suite) if code == 0 else None
    if tests is None:
        counts.add_failure(label, f"meson introspect: {text}")
    elif not tests and required:
        counts.add_failure(label, "this build has no such tests")
    else:
        counts += run_tests(context, label, tests, env or {}, build)
    return counts


# ---- pytest: as root it makes each container as root and as a plain user ---------------------------


def python_with_pytest():
    """An interpreter that has pytest: the one that runs this, or Debian's."""
    for python in (sys.executable, "/usr/bin/python3"):
        if python and subprocess.run([python, "-c", "import pytest"], check=False,
                                     capture_output=True).returncode == 0:
            return python
    return None


def parallel_arguments(python):
    """For pytest-xdist, where it is installed: containers wait more than they compute."""
    if subprocess.run([python, "-c", "import xdist"], check=False, capture_output=True).returncode:
        return []
    return ["-n", str(min(os.cpu_count() or 1, 4))]


def run_pytest(context, build, name, arguments, env=None):
    """Integration tests with the binaries of `build`. As a plain user the half that needs root is
    skipped; as root a skip is a failure, unless the machine cannot do better."""
    counts = Counts()
    label = f"{build.name}/{name}"
    python = python_with_pytest()
    if not python:
        counts.add_failure(label, "pytest is not installed (Debian: python3-pytest)")
        return counts
    report = context.results / f"{label.replace('/', '-')}.xml"
    report.unlink(missing_ok=True)
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}",
               *parallel_arguments(python), *arguments]
    variables = {"CORACLE_BUILD": str(build), "PYTHONDONTWRITEBYTECODE": "1", **(env or {})}
    if os.geteuid() == 0:
        variables["CORACLE_MUST_RUN"] = "1"
        # Debian's runc and crun, on which the attack tests must fire: tests of the tests.
        variables["CORACLE_CONTROLS"] = "1"
    code, text = execute(command, PYTEST_SECONDS, variables, context.root / "tests")
    counts += read_junit(report, label, code, text)
    return counts


# ---- the suites --------------------------------------------------------------------------------------


def lint(context):
    """layers, banned calls, sizes, formatting, headers, scripts, manual"""
    report = context.results / "lint.xml"
    report.unlink(missing_ok=True)
    code, text = execute([sys.executable, str(context.root / "tests/lint/run"), "--junit",
                          str(report)], 300)
    return read_junit(report, "lint", code, text)


def tidy(context):
    """clang-tidy on what has changed in src lately, and on a part of the rest"""
    code, text = execute([sys.executable, str(context.root / "tests/lint/tidy.py"),
                          str(context.build)], 900, share(context))
    counts = Counts()
    if code == 0:
        counts.passed += 1
    else:
        counts.add_failure("tidy", text)
    return counts


def unit(context):
    """unit tests, one program a layer"""
    return run_meson_suite(context, context.build, "unit")


def golden(context):
    """recorded plans and outputs compared"""
    return run_meson_suite(context, context.build, "golden", required=False)


def fuzz(context):
    """the corpora of the fuzz targets, replayed"""
    return run_meson_suite(context, context.build, "fuzz", required=False)


def integration(context):
    """containers, made by root, by root of a user namespace and by a plain user"""
    with in_memory.place() as place:
        return run_pytest(context, context.build, "integration", ["-m", "not fallback", "integration"],
                          {"CORACLE_TEST_TMP": place} if place else {})


def share(context, one_in=3):
    """What repeats other tests takes of each a part of the cases: which part, the commit decides.
    With CORACLE_ALL=1 all of them."""
    if os.environ.get("CORACLE_ALL") == "1":
        return {}
    code, text = execute(["git", "-c", "safe.directory=*", "-C", str(context.root), "rev-parse",
                          "--short=12", "HEAD"], 60)
    chosen = f"{one_in}/{text.strip() if code == 0 else 'coracle'}"
    print(f"CORACLE_SHARE={chosen}", flush=True)
    return {"CORACLE_SHARE": chosen}


UNDER_SHAPES = {
    # Without openat2 and the mount API: what attacks their stand-ins.
    "docker-19.03": ["integration/test_attacks.py", "integration/test_attack_races.py",
                     "integration/test_mount_links.py", "-k", "test_attacks or a19 or links"],
    # But what ends before a container is made, takes its time, runs another runtime, counts filters
    # or asks why the kernel refused; and what has no stand-in: idmap, sources opened by the
    # parent, WAIT_KILLABLE_RECV, a procfs that is attached nowhere, a comma in an option, Landlock.
    "linux-5.10": ["-m", "not fallback", "-k", "not the_filter_is_on and not without_a_profile "
                   "and not shared_bind_reaches_the_host and not every_flag_goes_with "
                   "and not test_t05 and not comma_and_a_colon and not each_way_out "
                   "and not another_runtime",
                   "integration", *(
        f"--ignore=integration/test_{name}.py"
        for name in ("attack_observers", "attack_races", "attack_trees", "attacks", "bad_input",
                     "bad_state", "controls", "costs", "inspect", "kill_points", "mount_sources",
                     "restrictions", "walls"))],
}


def fallback(context):
    """what is done where a system call is missing: each alone, and all as on Linux 5.10"""
    counts = run_meson_suite(context, context.build, "fallback")
    counts += run_pytest(context, context.build, "refused", ["-m", "fallback", "integration"])
    refuse = context.build / "tests/guest/coracle-refuse"
    for shape, arguments in UNDER_SHAPES.items():
        counts += run_pytest(context, context.build, shape, arguments,
                             {"CORACLE_WRAPPER": f"{refuse} {shape} --", "CORACLE_RACES": "5",
                              **share(context)})
    return counts


def systemd(context):
    """containers under systemd: tests/machines, in namespaces of this kernel"""
    return run_on_machine(context, execute, "systemd")


def uml(context):
    """containers with limits: tests/machines, User Mode Linux"""
    return run_on_machine(context, execute, "uml", workers=1)


def vm(context):
    """containers on Debian's kernel, with cpuset: tests/machines, an emulated machine"""
    return run_on_machine(context, execute, "vm")


def managers(context):
    """the same done with podman, buildah and conmon, under coracle and under another runtime"""
    return run_managers(context, execute)


def slow(context):
    """tests that take their time"""
    return run_meson_suite(context, context.build, "slow", required=False)


def asan_unit(context):
    """unit tests under the address and undefined behaviour sanitizers"""
    return run_meson_suite(context, context.asan, "unit", env=SANITIZER_ENV)


# The leak sanitizer cannot work under a tracer, as of the kill and fault points and of strace. Where descriptors,
# memory, processes, time or system calls are scarce, a sanitizer's own needs decide. The third mode
# runs no code that the other two do not.
NOT_SANITIZED = (
    "kill_points", "fault_points", "fallback", "userns-root", "test_a20", "hostile_passwd_costs",
    "little_memory", "a_huge_record", "every_limit_on", "few_file_descriptors", "few_processes",
    "files_that_may_not_grow", "a_low_limit_is_no_obstacle", "a_limit_that_is_too_low_is_named",
    "a_filter_that_forbids_everything", "a_killed_exec", "test_t05", "test_t18", "mounts_cost_grows",
    "test_costs")


def asan_integration(context):
    """the same containers under the sanitizers"""
    chosen = " and ".join(f"not {word}" for word in NOT_SANITIZED)
    with in_memory.place() as place:
        return run_pytest(context, context.asan, "integration",
                          ["-m", "not fallback", "-k", chosen, "integration"],
                          {**SANITIZER_ENV, **share(context, one_in=8),
                           **({"CORACLE_TEST_TMP": place} if place else {})})


SUITES = {
    "lint": lint,
    "unit": unit,
    "golden": golden,
    "fuzz": fuzz,
    "integration": integration,
    "fallback": fallback,
    "systemd": systemd,
    "vm": vm,
    "uml": uml,
    "managers": managers,
    "slow": slow,
    "asan-unit": asan_unit,
    "asan-integration": asan_integration,
    "tidy": tidy,
}


# The first has use for one processor only, and the second waits much.
TOGETHER = ("uml", "managers")


def groups(names):
    """Lists of suites that run at once, in the order of `names`."""
    def key(name):
        return TOGETHER if name in TOGETHER else name
    return [list(group) for _, group in itertools.groupby(names, key)]


def run(context, name):
    """Counts, and how many seconds it took."""
    start = time.monotonic()
    counts = _run(context, name)
    return counts, time.monotonic() - start


def _run(context, name):
    try:
        return SUITES[name](context)
    except (OSError, subprocess.SubprocessError) as error:
        counts = Counts()
        counts.add_failure(name, f"the suite could not run: {error}")
        return counts
