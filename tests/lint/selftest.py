#!/usr/bin/env python3
"""Shows that each lint check can fail: a bad example in a temporary tree, and a good one."""

import shutil
import sys
import tempfile
from pathlib import Path

import banned
import conformance
import fields
import format as format_check
import headers
import layers
import size
import text

ROOT = Path(__file__).resolve().parents[2]
LONG_FUNCTION = "int f() {\n" + "    g();\n" * 60 + "}\n"
LONG_METHOD = "namespace n {\nT::T(int a) : a_{a}, b_(a) {\n" + "    g();\n" * 60 + "}\n}\n"

# check, file, its text, a word of the complaint; None: no complaint
CASES = [
    (layers, "include/coracle/plan/a.h", '#include "coracle/sys/fd.h"\n', "layer 'plan'"),
    (layers, "include/coracle/plan/a.h", '#include "coracle/host/facts.h"\n', None),
    (layers, "include/coracle/plan/a.h", '#include "coracle/host/detect.h"\n', "layer 'plan'"),
    (layers, "src/plan/a.cpp", '#  include "coracle/sys/fd.h"\n', "layer 'plan'"),
    (layers, "src/plan/a.cpp", '// #include "coracle/sys/fd.h"\n', None),
    (layers, "src/sys/a.cpp", "#include <boost/json.hpp>\n", "Boost.JSON belongs"),
    (layers, "src/spec/a.cpp", "#include <boost/json.hpp>\n", None),
    (layers, "include/coracle/spec/a.h", "#include <boost/json.hpp>\n", "cross a layer header"),
    (layers, "src/sys/a.cpp", "#include <glib/glib.h>\n", "does not list"),
    (layers, "src/sys/a.cpp", "#include <sys/mount.h>\n#include <vector>\n", None),
    (layers, "src/util/a.cpp", "", "no layer"),
    (layers, "src/cli/a.cpp", '#include "launch/b_private.h"\n', "not a private header"),
    (banned, "src/rootfs/a.cpp", "void f() { ::mkdir(p, 0755); }\n", "[path-call]"),
    (banned, "src/rootfs/a.cpp", 'void f() { mount("a", "b", 0, 0, 0); }\n', "[path-call]"),
    (banned, "src/rootfs/a.cpp", "void f() { sys::mkdir_at(d, p); x.open(p); }\n", None),
    (banned, "src/launch/a.cpp", "void f() { ::mknodat(d, n, m, r); }\n", "[at-call]"),
    (banned, "src/rootfs/a.cpp", "void f() { ::mknodat(d, n, m, r); }\n", None),
    (banned, "src/rootfs/a.cpp", "int f() { return open(p,\n  O_CLOEXEC); }\n", "[open]"),
    (banned, "src/rootfs/a.cpp", '// open(p)\nconst char* t = "open(p)";\n', None),
    (banned, "src/sys/a.cpp", "int f() { return ::open(p, O_CLOEXEC); }\n", None),
    (banned, "src/host/a.cpp", "auto* f() { return getpwuid(0); }\n", "[getpw]"),
    (banned, "src/plan/a.cpp", "bool f() { return geteuid() == 0; }\n", "[who-am-i]"),
    (banned, "src/cli/a.cpp", "int f() { return std::stoi(t); }\n", "[number]"),
    (banned, "src/cli/a.cpp", "void f() { std::exit(1); }\n", "[exit]"),
    (banned, "src/launch/a.cpp", "void f() { ::_exit(1); }\n", None),
    (banned, "src/launch/a.cpp", "void f() { dup2(a, 1); }\n", "[dup]"),
    (banned, "src/base/a.cpp", "auto f() { return strerror(1); }\n", "[strerror]"),
    (banned, "src/cli/a.cpp", "void f() { try { g(); } catch (const Error&) { } }\n", "[catch]"),
    (banned, "src/cli/a.cpp", "void f() {\n try {\n } catch (E&) { // catch: why\n }\n}\n", None),
    (banned, "src/main.cpp", "int main() { try { } catch (...) { } }\n", None),
    (banned, "tests/lint/exceptions.txt", "dup src/sys/none.cpp no such use\n", "no longer needed"),
    (banned, "tests/lint/exceptions.txt", "dup src/sys/none.cpp\n", "REASON expected"),
    (banned, "tests/lint/exceptions.txt", "dupe src/sys/none.cpp why\n", "no rule"),
    (size, "src/sys/a.cpp", "\n" * 401, "401 lines"),
    (size, "src/sys/a.cpp", "\n" * 400, None),
    (size, "src/sys/a.cpp", LONG_FUNCTION, "62 lines"),
    (size, "src/sys/a.cpp", LONG_METHOD, "62 lines"),
    (size, "src/sys/a.cpp", LONG_FUNCTION.replace("    g();\n", "", 2), None),
    (size, "src/sys/a.cpp", "const auto t = make({\n" + "    {1, f()},\n" * 70 + "});\n", None),
    (size, "src/sys/a.cpp", "int f(int a, int b, int c, int d, int e, int g) { }\n", "6 param"),
    (size, "src/sys/a.cpp", "int f(M<int, int> a, int b, int c, int d, int e) { }\n", None),
    (headers, "include/coracle/sys/a.h", "std::string f();\n", "does not compile alone"),
    (headers, "include/coracle/sys/a.h", "#include <string>\nstd::string f();\n", None),
    (format_check, "src/sys/a.cpp", "int  f( ) {return 1 ;}\n", "not formatted"),
    (format_check, "src/sys/a.cpp", "int f();\n", None),
    (text, "contrib/a", "#!/bin/bash\nset -euo pipefail\nrm $1\n", "SC2086"),
    (text, "contrib/a", "#!/bin/bash\ntrue\n", "goes on after a failure"),
    (text, "man/a.1", ".Dd January 1, 2026\n.Dt A 1\n.Os\n.Sh NAME\n.Nosuch\n", "mandoc"),
    (text, "src/a.md", "text \n", "blanks at the end"),
    (text, "src/a.md", "TO" "DO\n", "loose end"),
    (text, "src/a.md", "text", "no newline"),
    (text, "src/a.md", "text\n", None),
]


def run_case(check, name, content, word):
    """What went otherwise than expected, or nothing."""
    with tempfile.TemporaryDirectory(prefix="coracle-lint-") as folder:
        root = Path(folder)
        (root / "src").mkdir()
        shutil.copy(ROOT / "src/ARCHITECTURE.md", root / "src/ARCHITECTURE.md")
        shutil.copy(ROOT / ".clang-format", root / ".clang-format")
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")
        found = [fault for fault in check.check(root) if "ARCHITECTURE.md" not in fault or word]
    label = f"{check.__name__}: {name}: {content[:50]!r}"
    if word is None:
        return f"{label}: unexpected: {found[0]}" if found else None
    if not any(word in fault for fault in found):
        return f"{label}: '{word}' expected, found {found}"
    return None


# rows of tests/fields.md, a word of the complaint; None: no complaint
FIELD_ROWS = [
    ("| `a.b` | one | user root | |", None),
    ("| `a.b` | one two | user root | |", "no test test_two"),
    ("| `a.b` | | user | |", "no test"),
    ("| `a.b` | one | user userns-root | |", "no test runs in mode userns-root"),
    ("| `a.b` | one | | |", "no mode"),
    ("| `a.c` | one | user | |", "no row for b"),
    ("| `a.b` | one | user | |\n| `a.b` | one | user | |", "a second row"),
    ("| `a.b` | one | user | |\n| `a.d` | one | user | |", "a.d: no wrong value"),
    ("| `a.d` | one | user | |", "a.b is no row"),
]


def run_field_rows(text, word):
    found = fields.faults_of(text, {"a", "b"}, {"one": {"user", "root"}}, {"a.b"})
    if word is None:
        return f"fields: {text!r}: unexpected: {found[0]}" if found else None
    return None if any(word in fault for fault in found) else \
        f"fields: {text!r}: '{word}' expected, found {found}"


# The same of tests/conformance.md, whose cases are a and b.
CONFORMANCE_ROWS = [
    ("| a | 0 | 0 | = | |\n| b | 1: words | = | 2: words | why |", None),
    ("| a | 0 | 0 | 0 | |", "no row for b"),
    ("| a | 0 | 0 | 0 | |\n| c | 0 | 0 | 0 | |", "no such case"),
    ("| a | 0 | 1 | 0 | |", "why do they differ"),
    ("| a | 1: x | = | 1: y | |", "why do they differ"),
    ("| a | 0 | 0 | 0 | since |", "no difference"),
    ("| a | = | 0 | 0 | |", "with itself"),
    ("| a | none | = | = | |", "not CODE"),
    ("| a | 0 | 0 | |", "not five cells"),
    ("| a | 0 | 0 | 0 | |\n| a | 0 | 0 | 0 | |", "a second row"),
]


def run_conformance_rows(text, word):
    found = conformance.faults_of(text, ["a", "b"])
    if word is None:
        return f"conformance: {text!r}: unexpected: {found[0]}" if found else None
    return None if any(word in fault for fault in found) else \
        f"conformance: {text!r}: '{word}' expected, found {found}"


def check(_root=None):
    results = ([run_case(*case) for case in CASES] + [run_field_rows(*case) for case in FIELD_ROWS]
               + [run_conformance_rows(*case) for case in CONFORMANCE_ROWS])
    return [fault for fault in results if fault]


if __name__ == "__main__":
    faults = check()
    print("\n".join(faults))
    sys.exit(bool(faults))
