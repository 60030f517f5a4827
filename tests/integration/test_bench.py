"""The benchmarks still measure everything and write it down; what they find is not judged here."""

import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as xml
from pathlib import Path

import pytest

import harness

REPORT = Path(__file__).resolve().parents[1] / "bench/report"
SVG = "{http://www.w3.org/2000/svg}"


def rows_under(text, head):
    """The first cells of the table whose head begins so."""
    table = text.split(f"| {head} |")[1].split("\n\n")[0]
    return [line.split(" | ")[0].strip("| ") for line in table.splitlines()[2:]]


def test_the_report_measures_all_and_writes_a_table_and_a_plot(tmp_path):
    if not shutil.which(os.environ.get("CC", "cc").split()[0]):
        pytest.skip("machine: no C compiler for the floors")
    done = subprocess.run([sys.executable, str(REPORT), str(tmp_path), "--count", "2"], text=True,
                          capture_output=True, check=False, timeout=500,
                          env={**os.environ, "CORACLE_RUNTIME": harness.RUNTIME})
    assert done.returncode == 0, done.stderr
    assert not re.search(r"note: .*coracle.* skipped", done.stderr), done.stderr
    text = (tmp_path / "BENCHMARKS.md").read_text(encoding="utf-8")
    for verb, floor in (("run", "floor_same_work"), ("sandbox", "floor_same_work"),
                        ("exec", "floor_exec"), ("state", "static no-op"),
                        ("create+start+delete", "floor_same_work")):
        assert rows_under(text, verb)[:2] == [floor, "coracle"]
    for unit, first in (("more bind mounts", "0"), ("kB of environment", "0"),
                        ("kB of arguments", "0"), ("seccomp profile", "no filter"),
                        ("execs into one container", "1 to 1"), ("runs at once, time of each", "1"),
                        ("living containers, create", "0"), ("living containers, delete", "0")):
        rows = rows_under(text, unit + " | coracle, ms")
        assert rows[0] == first and len(rows) == 2
    if "stages skipped" not in done.stderr:
        stages = rows_under(text, "stage")
        assert {"mid: unshare", "init: mounts", "payload", "all"} <= set(stages)
    picture = xml.parse(tmp_path / "bench.svg")
    bars = [bar.find(f"{SVG}title").text for bar in picture.iter(f"{SVG}rect")]
    assert sum(bar.startswith("coracle:") for bar in bars) == 5
