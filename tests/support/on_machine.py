"""Runs the integration tests on a test machine: those whose marker `machine` names it."""

import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

from report import Counts, read_junit

# For building it (once), starting it and all of its tests; what hangs is ended.
# CORACLE_MACHINE_SECONDS: for what is whole and long.
MACHINE_SECONDS = int(os.environ.get("CORACLE_MACHINE_SECONDS", "1500"))
# How much is tried.
PASSED_ON = ("CORACLE_CYCLES", "CORACLE_KILL_SAMPLE", "CORACLE_SEED")


def _stage(context, directory):
    """A checkout with the built programs and no more, as the tests look for them."""
    shutil.copytree(context.root / "tests", directory / "tests",
                    ignore=shutil.ignore_patterns("__pycache__", "unit", "fuzz", "golden"))
    programs = [context.build / "src/coracle", *(context.build / "tests/guest").glob("coracle-*")]
    for program in programs:
        if program.is_file():
            copy = directory / "build" / program.relative_to(context.build)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(program, copy)


def _files_for(name, directory):
    """The files with a test marked for the machine: to collect the others there takes long."""
    marker = re.compile(rf'\bmachine\([^)]*"{name}"')
    return [f"coracle/tests/integration/{file.name}" for file in sorted(directory.glob("test_*.py"))
            if marker.search(file.read_text(encoding="utf-8"))]


def run_on_machine(context, execute, name, workers=2):
    """Counts of pytest as root in the machine `name`. A machine that cannot be built or started is a
    failure; without root there is no machine, which is a skip."""
    counts = Counts()
    if os.geteuid() != 0:
        counts.add_skip(f"{name}: test machines need root")
        return counts
    with tempfile.TemporaryDirectory(prefix="coracle-stage-") as temporary:
        stage, results = Path(temporary, "coracle"), Path(temporary, "results")
        _stage(context, stage)
        command = ["env", "CORACLE_BUILD=/copy/coracle/build", "CORACLE_MUST_RUN=1",
               *(f"{key}={os.environ[key]}" for key in PASSED_ON if key in os.environ),
                   "python3", "-m", "pytest", "-q", "--junitxml=/results/report.xml",
                   *(["-n", str(workers)] if workers > 1 else []), *context.pytest, *_files_for(name, stage / "tests/integration")]
        code, text = execute(
            [sys.executable, str(context.root / "tests/machines/run"), name, "--verbose",
             "--copy", str(stage), "--results", str(results),
             "--timeout", str(MACHINE_SECONDS), "--", *command], MACHINE_SECONDS + 60,
            {"CORACLE_MACHINES": os.environ.get("CORACLE_MACHINES")
             or str(context.build / "machines")})
        report = context.results / f"{name}.xml"
        report.unlink(missing_ok=True)
        if (results / "report.xml").exists():
            shutil.copy(results / "report.xml", report)
        (context.results / f"{name}.log").write_text(text, encoding="utf-8")
        counts += read_junit(report, name, code, text)
    return counts
