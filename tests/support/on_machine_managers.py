"""Runs the quick steps of tests/managers on a test machine."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

from report import Counts, read_junit

SECONDS = 600
# What is started: machine, user, suites and options. As root crun wants CAP_SYS_RESOURCE, which the
# host may lack: there runc is the control.
RUNS = (
    ("systemd", "tester", ("podman", "buildah", "conmon", "units")),
    ("systemd", "tester", ("docker", "containerd")),
    ("systemd", "root", ("podman", "conmon", "docker", "containerd", "--control=/usr/sbin/runc")),
)


def _stage(context, directory):
    shutil.copytree(context.root / "tests/managers", directory / "tests/managers",
                    ignore=shutil.ignore_patterns("__pycache__"))
    program = directory / "build/src/coracle"
    program.parent.mkdir(parents=True)
    shutil.copy(context.build / "src/coracle", program)


def run_managers(context, execute):
    """Counts of all RUNS; without root there is no machine, which is a skip."""
    counts = Counts()
    if os.geteuid() != 0:
        counts.add_skip("managers: test machines need root")
        return counts
    with tempfile.TemporaryDirectory(prefix="coracle-stage-") as temporary:
        stage = Path(temporary, "coracle")
        _stage(context, stage)
        for machine, user, words in RUNS:
            name = f"managers-{machine}-{user}-{words[0]}"
            results = Path(temporary, name)
            code, text = execute(
                [sys.executable, str(context.root / "tests/machines/run"), machine, "--user", user,
                 "--copy", str(stage), "--results", str(results), "--timeout", str(SECONDS), "--",
                 "coracle/tests/managers/run", *words, "--quick", "--junit=/results/report.xml"],
                SECONDS + 60,
                {"CORACLE_MACHINES": os.environ.get("CORACLE_MACHINES")
                 or str(context.build / "machines")})
            report = context.results / f"{name}.xml"
            report.unlink(missing_ok=True)
            if (results / "report.xml").exists():
                shutil.copy(results / "report.xml", report)
            (context.results / f"{name}.log").write_text(text, encoding="utf-8")
            counts += read_junit(report, name, code, text)
    return counts
