#!/usr/bin/env python3
"""The table tests/fields.md: each field that the reader of config.json knows has a row, each row a
test that is there, runs in the modes that it names, and a wrong value in test_fields_wrong.py."""

import ast
import re
import sys
from pathlib import Path

READERS = ("config_json", "config_process_json", "config_linux_json", "config_seccomp_json")
MODES = ("user", "root", "userns-root")
# Keys of objects whose members are rows of their own, or that have no rows in this table.
CONTAINERS = {"root", "user", "consoleSize", "capabilities", "rlimits", "scheduler", "ioPriority",
              "execCPUAffinity", "hooks", "namespaces", "uidMappings", "timeOffsets", "devices",
              "resources", "seccomp", "syscalls", "args", "personality", "intelRdt",
              "memoryPolicy", "netDevices"}
ELSEWHERE = {"hugepageLimits", "memory", "cpu", "pids", "blockIO", "network", "rdma", "unified"}


def known_keys(root):
    """The names of the members that the reader asks for."""
    keys = set()
    for name in READERS:
        text = (root / f"src/spec/{name}.cpp").read_text(encoding="utf-8")
        keys.update(re.findall(r'key == "(\w+)"', text))
    return keys - ELSEWHERE


def modes_of(function):
    """The modes that a test runs in, by its mark."""
    for decorator in function.decorator_list:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.modes":
            return {ast.literal_eval(argument) for argument in decorator.args}
    return set(MODES)


def integration_tests(root):
    """{name without "test_": modes}"""
    tests = {}
    for path in sorted((root / "tests/integration").glob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                tests[node.name.removeprefix("test_")] = modes_of(node)
    return tests


def wrong_values(root):
    """The fields of the table WRONG."""
    tree = ast.parse((root / "tests/integration/test_fields_wrong.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "WRONG":
            return {key.value for key in node.value.keys}
    return set()


def rows(text):
    """[(line, field, tests, modes)]"""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and len(cells) == 4 and cells[0] != "field" and "---" not in line:
            found.append((number, cells[0].strip("`"), cells[1].split(), cells[2].split()))
    return found


def faults_of(text, keys, tests, wrong):
    faults = []
    named = set()
    fields = set()
    for number, field, wanted, modes in rows(text):
        where = f"tests/fields.md:{number}: {field}"
        if field in fields:
            faults.append(f"{where}: a second row")
        fields.add(field)
        named.update(re.findall(r"\w+", field))
        missing = [test for test in wanted if test not in tests]
        faults += [f"{where}: no test test_{test}" for test in missing]
        if not wanted:
            faults.append(f"{where}: no test")
        covered = set().union(*(tests[test] for test in wanted if test in tests))
        faults += [f"{where}: no test runs in mode {mode}" for mode in modes
                   if mode not in covered]
        if not modes:
            faults.append(f"{where}: no mode")
        if field not in wrong:
            faults.append(f"{where}: no wrong value in tests/integration/test_fields_wrong.py")
    faults += [f"tests/fields.md: no row for {key}, which src/spec reads"
               for key in sorted(keys - named - CONTAINERS)]
    faults += [f"tests/integration/test_fields_wrong.py: {field} is no row of tests/fields.md"
               for field in sorted(wrong - fields)]
    return faults


def check(root):
    root = Path(root)
    text = (root / "tests/fields.md").read_text(encoding="utf-8")
    return faults_of(text, known_keys(root), integration_tests(root), wrong_values(root))


if __name__ == "__main__":
    problems = check(Path(__file__).resolve().parents[2])
    print("\n".join(problems))
    sys.exit(1 if problems else 0)
