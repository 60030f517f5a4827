#!/usr/bin/env python3
"""Checks the text files themselves: shell scripts, manual pages, white space, loose ends."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from source import relative

SKIP = re.compile(r"\.git/|build[^/]*/|COPYING$|tests/(?:golden|fuzz)/|__pycache__/|\.cache/")
TEXT = {".h", ".cpp", ".c", ".py", ".md", ".sh", ".1", ".5", ".7", ".8", ".build", ".txt", ""}
LOOSE = re.compile(r"\b(?:TODO|FIXME|XXX)\b")
TAB_FREE = {".h", ".cpp", ".c", ".py", ".md", ".build"}


def text_files(root):
    for file in sorted(root.rglob("*")):
        path = relative(root, file)
        if file.is_file() and not SKIP.match(path) and file.suffix in TEXT and file.name[0] != ".":
            try:
                yield path, file.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue


def run_tool(command, root):
    if not shutil.which(command[0]):
        return [f"{command[0]} is not installed"]
    result = subprocess.run(command, text=True, capture_output=True, check=False, cwd=root)
    output = (result.stdout + result.stderr).strip()
    return [line for line in output.splitlines() if line] if result.returncode else []


def check(root):
    root = Path(root).resolve()
    problems, scripts, pages = [], [], []
    for path, text in text_files(root):
        suffix = Path(path).suffix
        shebang = text.split("\n", 1)[0]
        if suffix == ".sh" or (not suffix and re.match(r"#!.*\b(?:ba|da)?sh\b", shebang)):
            scripts.append(path)
            if not re.search(r"^set -e", text, re.MULTILINE):
                problems.append(f"{path}: a script that goes on after a failure: set -euo pipefail")
        if suffix in (".1", ".5", ".7", ".8"):
            pages.append(path)
        for number, line in enumerate(text.splitlines(), 1):
            if line != line.rstrip():
                problems.append(f"{path}:{number}: blanks at the end of the line")
            if "\t" in line and suffix in TAB_FREE:
                problems.append(f"{path}:{number}: a tab")
            if LOOSE.search(line) and path != "tests/lint/text.py":
                problems.append(f"{path}:{number}: a loose end: finish it or say what does not work")
        if text and not text.endswith("\n"):
            problems.append(f"{path}: no newline at the end")
    if scripts:
        problems += run_tool(["shellcheck", "-x", "--format=gcc", *scripts], root)
    if pages:
        problems += run_tool(["mandoc", "-Tlint", "-Wwarning", *pages], root)
    return problems


if __name__ == "__main__":
    faults = check(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[2])
    print("\n".join(faults))
    sys.exit(bool(faults))
