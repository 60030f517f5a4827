"""Proof that the attacks can see harm: published runtimes that are known to fail some of them.

Runs only with CORACLE_CONTROLS=1, against CORACLE_RUNC (/usr/sbin/runc, Debian 12's 1.1.5) and
CORACLE_CRUN (/usr/bin/crun, 1.8.1), as real root."""

import os
import subprocess

import pytest

import attacks

RUNC = os.environ.get("CORACLE_RUNC", "/usr/sbin/runc")
CRUN = os.environ.get("CORACLE_CRUN", "/usr/bin/crun")

pytestmark = pytest.mark.skipif(os.environ.get("CORACLE_CONTROLS") != "1",
                                reason="machine: CORACLE_CONTROLS is not set")


@pytest.fixture
def control(make_box):
    def make(path, version):
        if not os.access(path, os.X_OK):
            pytest.skip(f"machine: no {path}")
        text = subprocess.run([path, "--version"], capture_output=True, text=True, check=True)
        if version not in text.stdout:
            pytest.skip(f"machine: {path} is not {version}")
        return make_box("root", path)
    return make


def test_a01_fires_on_runc(control):
    assert attacks.dev_is_a_link(control(RUNC, "1.1.5"), "absolute")


def test_a01_fires_on_crun(control):
    assert attacks.dev_is_a_link(control(CRUN, "1.8.1"), "absolute")


def test_a03_fires_on_runc(control):
    assert any("core_pattern" in text for text in
               attacks.mask_source_is_a_link(control(RUNC, "1.1.5")))


def test_a03_does_not_fire_on_crun(control):
    assert attacks.mask_source_is_a_link(control(CRUN, "1.8.1")) == []


@pytest.mark.parametrize("path,version", [(RUNC, "1.1.5"), (CRUN, "1.8.1")])
def test_a13_fires_on_both(control, path, version):
    harm = attacks.hostile_passwd(control(path, version), "a FIFO")
    assert any("no end after" in text for text in harm)


def test_a24_fires_on_crun(control):
    assert attacks.console_is_a_link(control(CRUN, "1.8.1"), "absolute")


def test_a02_does_not_fire_on_runc(control):
    assert attacks.proc_is_a_link(control(RUNC, "1.1.5"), "proc", "/evil/place") == []
