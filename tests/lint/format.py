#!/usr/bin/env python3
"""Checks C++ against .clang-format, by the one version whose output is the rule."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from source import cxx_files, relative

FORMATTER = "clang-format-14"


def check(root):
    root = Path(root).resolve()
    if not shutil.which(FORMATTER):
        return [f"{FORMATTER} is not installed"]
    files = [str(file) for file in cxx_files(root, "include", "src", "tests")]
    if not files:
        return []
    result = subprocess.run([FORMATTER, "--dry-run", "-Werror", *files], text=True,
                            capture_output=True, check=False, cwd=root)
    places = re.findall(r"^(\S+?):(\d+):\d+: error", result.stderr, re.MULTILINE)
    first = {}
    for path, line in places:
        first.setdefault(path, line)
    problems = [f"{relative(root, Path(path))}:{line}: not formatted: {FORMATTER} -i {path}"
                for path, line in first.items()]
    if result.returncode and not problems:
        problems.append(f"{FORMATTER}: {result.stderr.strip()[:300]}")
    return problems


if __name__ == "__main__":
    faults = check(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[2])
    print("\n".join(faults))
    sys.exit(bool(faults))
