"""The table tests/conformance.md, asked of coracle and of the runtimes that it is compared with."""

import os
import subprocess

import pytest

import conformance
import harness

TABLE = os.path.join(harness.CHECKOUT, "tests/conformance.md")
CONTROLS = {"runc": (os.environ.get("CORACLE_RUNC", "/usr/sbin/runc"), "1.1.5"),
            "crun": (os.environ.get("CORACLE_CRUN", "/usr/bin/crun"), "1.8.1")}


def expectations():
    """{case: {runtime: (exit code, words)}}"""
    found = {}
    with open(TABLE, encoding="utf-8") as file:
        for line in file:
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
            if len(cells) != 5 or cells[0] == "case" or "---" in cells[0]:
                continue
            found[cells[0]] = {}
            for kind, cell in zip(("coracle", "runc", "crun"), cells[1:4]):
                code, _, words = (cells[1] if cell == "=" else cell).partition(":")
                found[cells[0]][kind] = (int(code), words.strip())
    return found


EXPECTED = expectations()


def check(box, case, kind):
    code, words = EXPECTED[case][kind]
    result = conformance.CASES[case](box)
    assert result.rc == code, f"{kind}: not {code}: {result}"
    assert words.lower() in result.err.lower(), f"{kind}: does not say {words!r}: {result}"
    if kind == "coracle" and code == 0:
        assert result.err == "", f"podman and CRI-O read it together with the answer: {result}"


@pytest.mark.parametrize("case", conformance.CASES)
def test_a_caller_gets_the_code_and_the_words_it_matches(box, case):
    check(box, case, box.kind)


@pytest.fixture(scope="module")
def controls():
    """{runtime: why it cannot be asked, or ""}"""
    answers = {}
    for kind, (path, version) in CONTROLS.items():
        if not os.access(path, os.X_OK):
            answers[kind] = f"machine: no {path}"
            continue
        text = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
        answers[kind] = "" if version in text.stdout else f"machine: {path} is not {version}"
    return answers


@pytest.mark.parametrize("kind", CONTROLS)
@pytest.mark.parametrize("case", conformance.CASES)
def test_the_table_is_true_of_the_runtimes_it_compares_with(make_box, controls, case, kind):
    if controls[kind]:
        pytest.skip(controls[kind])
    check(make_box("root", CONTROLS[kind][0]), case, kind)
