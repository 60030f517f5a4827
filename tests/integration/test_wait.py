"""Waiting for the end of a container."""

import os
import platform
import signal
import subprocess

import pytest

import harness
from harness import eventually

pytestmark = pytest.mark.machine("native", "systemd")

TELLS = tuple(int(n) for n in platform.release().split("-")[0].split(".")[:2]) >= (6, 15)


def sessions_asleep_on_a_pidfd():
    sessions = set()
    for pid in (int(name) for name in os.listdir("/proc") if name.isdigit()):
        try:
            links = [os.readlink(entry.path) for entry in os.scandir(f"/proc/{pid}/fd")]
            with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
                if any("pidfd" in link for link in links) and ") S " in stat.read():
                    sessions.add(os.getsid(pid))
        except OSError:
            pass  # it ends, or the link does
    return sessions


def start_waiters(box, container, out, count=1):
    """They wait when this returns: of a container that has stopped before, little is known."""
    waiters = [box.runtime.popen(box.runtime.argv("wait", container.id), out, out)
               for _ in range(count)]
    assert eventually(lambda: sessions_asleep_on_a_pidfd() >= {waiter.pid for waiter in waiters})
    return waiters


def waiter(box, container):
    out = os.path.join(box.dir, "waited")
    with open(out, "wb") as file:
        os.fchmod(file.fileno(), 0o666)
        [process] = start_waiters(box, container, file)
    return process, lambda: open(out, encoding="ascii").read().strip()


def expected(code):
    tells = TELLS and not harness.WRAPPER  # which may refuse the pidfd that tells it
    return str(code) if tells else "unknown"


def test_it_ends_with_the_container_and_prints_its_exit_code(box):
    container = box.create("exit", "7")
    process, text = waiter(box, container)
    box.must("start", container.id)
    container.wait_status()  # reaped, as a manager does
    assert process.wait(10) == 0
    assert text() == expected(7)


def test_a_signals_end_is_128_and_its_number(box):
    container = box.start("pause")
    process, text = waiter(box, container)
    assert process.poll() is None
    box.must("kill", container.id, "KILL")
    container.wait_status()
    assert process.wait(10) == 0
    assert text() == expected(128 + signal.SIGKILL)


def test_several_may_wait(box):
    container = box.start("pause")
    waiters = start_waiters(box, container, subprocess.DEVNULL, 5)
    box.must("kill", container.id, "KILL")
    container.wait_status()
    assert [process.wait(10) for process in waiters] == [0] * 5


def test_a_stopped_container_is_not_waited_for(box):
    container = box.start("pause")
    box.must("kill", container.id, "KILL")
    container.wait_status()
    assert eventually(lambda: container.status() == "stopped")
    assert box.must("wait", container.id).out == "unknown\n"


def test_an_unknown_container_is_an_error(box):
    box.fails("wait", "no-such", says="does not exist")


@pytest.mark.parametrize("args", [[], ["a", "b"], ["--no-such", "a"]])
def test_a_wrong_call_is_an_error(box, args):
    assert box.fails("wait", *args).rc == 2
