"""Proof that the attacks can see harm: published runtimes that are known to fail some of them.

Runs only with CORACLE_CONTROLS=1, against CORACLE_RUNC (/usr/sbin/runc, Debian 12's 1.1.5) and
CORACLE_CRUN (/usr/bin/crun, 1.8.1), as real root."""

import os
import subprocess

import pytest

import attack_observers
import attack_swaps
import attack_trees
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


def test_a13_of_the_kernel_log_fires_on_runc(control):
    """It reads /proc/kmsg for HOME, and waits there."""
    box = control(RUNC, "1.1.5")
    bundle = box.bundle("exit", "0", edit=attack_observers.without_home(
        lambda _, path: os.symlink("/proc/kmsg", path)))
    _, harm = attacks.attempt(box, bundle, timeout=attacks.SLOW)
    assert any("no end after" in text for text in harm)


def test_a18_fires_on_runc(control):
    """Its tmpfs over the controllers of cgroup v1 can be written."""
    harm = attack_observers.writable_sys(control(RUNC, "1.1.5"), ())
    assert any("/sys/fs/cgroup" in text for text in harm), harm


def test_a18_does_not_fire_on_crun(control):
    assert attack_observers.writable_sys(control(CRUN, "1.8.1"), ("cgroup",)) == []


def test_a19_fires_on_runc(control):
    """A race, which a busy machine may lose a whole round of."""
    assert any(attack_swaps.exchanged_target(control(RUNC, "1.1.5"), 150, pause)
               for pause in (50, 20, 100, 5, 200, 50))


def test_t04_fires_on_runc(control):
    assert attack_swaps.exchanged_null(control(RUNC, "1.1.5"), 50)


@pytest.mark.parametrize("path,version", [(RUNC, "1.1.5"), (CRUN, "1.8.1")])
def test_a_link_for_dev_fires_on_both(control, path, version):
    box = control(path, version)
    assert attack_trees.hostile_path(box, "dev without a mount", "an absolute link")


def test_a21_sees_the_host_if_it_may_trace(make_box):
    """The watcher of A21 with CAP_SYS_PTRACE, which makes it the equal of who starts containers."""
    box = make_box("root")

    def join(config, pid):
        next(n for n in config["linux"]["namespaces"] if n["type"] == "pid")["path"] = \
            f"/proc/{pid}/ns/pid"

    harm = attack_observers.spied_links(box, 50, join, ["CAP_SYS_PTRACE", "CAP_KILL"])
    assert any("root of a process leads to /" in text for text in harm), harm
