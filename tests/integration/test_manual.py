"""The manual pages of the single verbs, which are cut out of coracle(1)."""

import os
import re
import shutil
import subprocess

import pytest

import harness

PLACE = os.path.join(harness.BUILD, "man")


@pytest.fixture
def pages(make_box):
    """(box, {verb: text})"""
    if not os.path.exists(f"{PLACE}/verbs"):
        pytest.skip("machine: built without the pages of verbs")
    found = {}
    for name in os.listdir(PLACE):
        if match := re.fullmatch(r"coracle-(\w+)\.1", name):
            with open(f"{PLACE}/{name}", encoding="utf-8") as file:
                found[match[1]] = file.read()
    return make_box("root"), found


def summaries(box):
    text = box.must("--help", root=False).out.partition("Commands:\n")[2]
    return dict(line.split(None, 1) for line in text.splitlines() if line.startswith("  "))


def test_each_verb_has_a_page_and_each_page_a_verb(pages):
    box, found = pages
    with open(f"{PLACE}/verbs", encoding="ascii") as file:
        assert set(file.read().split()) == set(summaries(box))
    assert set(summaries(box)) <= set(found)


def test_a_page_has_the_options_of_its_verb_and_no_others(pages):
    box, found = pages
    for verb in summaries(box):
        shown = set()
        for line in box.must(verb, "--help", root=False).out.splitlines():
            if head := re.match(r"\s+(-\S*)", line):
                shown |= {word.lstrip("-") for word in head[1].split(",")}
        described = set()
        for line in found[verb].splitlines():
            if line.startswith(".It Fl "):
                described |= {word.lstrip("-") for word in re.findall(r"(?:^\.It|,) Fl (\S+)", line)}
        assert described == shown - {"h", "help"}, verb


def test_a_page_says_what_its_verb_does_and_how_it_is_called(pages):
    box, found = pages
    for verb, summary in summaries(box).items():
        assert f".Nm coracle-{verb}\n.Nd {summary}\n" in found[verb]
        synopsis = found[verb].partition(".Sh SYNOPSIS\n")[2].partition(".Sh ")[0]
        assert re.search(rf"^\.Cm .*\b{verb}\b", synopsis, re.M), f"{verb}: {synopsis}"
        text = found[verb].partition(".Sh DESCRIPTION\n")[2].partition(".Pp\nGlobal options")[0]
        assert len(text) > 40, verb


def test_a_page_is_right_for_man(pages):
    box, found = pages
    if not shutil.which("mandoc"):
        pytest.skip("machine: no mandoc")
    for verb in summaries(box):
        done = subprocess.run(["mandoc", "-Tlint", "-Wwarning", f"{PLACE}/coracle-{verb}.1"],
                              capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
        shown = subprocess.run(["mandoc", "-Tascii", f"{PLACE}/coracle-{verb}.1"],
                               capture_output=True, text=True, check=True).stdout
        shown = re.sub(r".\x08", "", shown)
        head = shown.partition("SYNOPSIS")[0]
        assert f"coracle-{verb} - " in head
        # The program is not called by the name of its page.
        assert f"coracle-{verb} " not in shown.partition("SYNOPSIS")[2].rpartition("\n\n")[0]
