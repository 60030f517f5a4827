#!/usr/bin/env python3
"""The table tests/conformance.md: a row for each case of tests/integration/conformance.py and no
others, and a reason wherever the runtimes differ."""

import ast
import re
import sys
from pathlib import Path

CELL = re.compile(r"=|\d+(: \S.*)?")


def cases(text):
    return [node.name for node in ast.parse(text).body
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")]


def rows(text):
    """[(line, cells)]"""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and cells[0] != "case" and "---" not in cells[0]:
            found.append((number, cells))
    return found


def faults_of(text, known):
    faults = []
    seen = set()
    for number, cells in rows(text):
        where = f"tests/conformance.md:{number}: {cells[0]}"
        if cells[0] in seen:
            faults.append(f"{where}: a second row")
        seen.add(cells[0])
        if cells[0] not in known:
            faults.append(f"{where}: no such case")
        if len(cells) != 5:
            faults.append(f"{where}: not five cells")
            continue
        ours, theirs, why = cells[1], cells[2:4], cells[4]
        faults += [f"{where}: not CODE or CODE: WORDS: {cell}" for cell in cells[1:4]
                   if not CELL.fullmatch(cell)]
        differs = any(cell not in ("=", ours) for cell in theirs)
        if ours == "=":
            faults.append(f"{where}: coracle is compared with itself")
        if differs and not why:
            faults.append(f"{where}: why do they differ?")
        if why and not differs:
            faults.append(f"{where}: a reason, and no difference")
    faults += [f"tests/conformance.md: no row for {name}" for name in known if name not in seen]
    return faults


def check(root):
    root = Path(root)
    known = cases((root / "tests/integration/conformance.py").read_text(encoding="utf-8"))
    return faults_of((root / "tests/conformance.md").read_text(encoding="utf-8"), known)


if __name__ == "__main__":
    problems = check(Path(__file__).resolve().parents[2])
    print("\n".join(problems))
    sys.exit(1 if problems else 0)
